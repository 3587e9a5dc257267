-- The same condition, written as PostgreSQL writes it when it reads its own dump: so a log that was restored from one has the
-- shape that it was dumped with, and the guard of the schema knows it again.
alter table audit.tile
    drop constraint tile_position,
    add constraint tile_position check (level >= 0 and level <= 7 and index >= 0);
