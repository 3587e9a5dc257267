-- From the first form of the file: refusals kept the whole submission, a stranger's lines included.
alter table refused rename to refused_1;
