-- Taking turns with rows that only those may lock whose turn it can be. An advisory lock has no owner: whoever is let into
-- the database, if only to read, could hold it and stop the log without leaving a trace in it.

-- One row. An integrator locks it for its transaction; to lock a row takes the right to update, and that nobody uses
-- otherwise, as the table refuses every change.
create table audit.integrators_turn (
    turn boolean not null,
    constraint integrators_turn_pkey primary key (turn),
    constraint integrators_turn_once check (turn)
);
insert into audit.integrators_turn (turn) values (true);
call audit.make_append_only_v1('audit.integrators_turn');

revoke all on audit.integrators_turn from public;
grant select, update on audit.integrators_turn to ofrecord_integrator;
