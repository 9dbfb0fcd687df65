-- A ledger as version 3 of the format: 2 files of job 1 done, 1 not selected, and 1 list that failed.
PRAGMA application_id = 1213355603;
PRAGMA user_version = 3;
BEGIN TRANSACTION;
CREATE TABLE artifacts (
    id INTEGER PRIMARY KEY,
    job INTEGER NOT NULL REFERENCES jobs,
    node INTEGER NOT NULL,
    path TEXT NOT NULL,
    url TEXT NOT NULL,
    safe INTEGER NOT NULL,
    target TEXT,
    state TEXT NOT NULL,
    listed_by INTEGER NOT NULL,
    run INTEGER NOT NULL,
    turn INTEGER NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    size INTEGER,
    sha256 TEXT,
    etag TEXT,
    finished TEXT,
    fetched_by INTEGER,
    error TEXT,
    UNIQUE (job, node, path)
);
INSERT INTO "artifacts" VALUES(1,1,0,'logs/0.txt','http://ARTIFACT_HOST/output/job/9e4d6e3c-1846-4424-817c-627923c6612f/artifacts/0/logs/0.txt',1,'gh/acme/api/1/build/test-0-1/logs/0.txt','listed',1,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "artifacts" VALUES(2,1,0,'logs/1.txt','http://ARTIFACT_HOST/output/job/9e4d6e3c-1846-4424-817c-627923c6612f/artifacts/0/logs/1.txt',1,'gh/acme/api/1/build/test-0-1/logs/1.txt','done',1,1,1,0,3,'5cc3a6551605a0b4e9c3334f5eb5554c404973daf0b1a58655fa29c0ba3d47b0','"27a3f1a3d555387ab7bf589ca716c295"','2026-11-28T05:24:24+00:00',1,NULL);
INSERT INTO "artifacts" VALUES(3,1,0,'logs/2.txt','http://ARTIFACT_HOST/output/job/9e4d6e3c-1846-4424-817c-627923c6612f/artifacts/0/logs/2.txt',1,'gh/acme/api/1/build/test-0-1/logs/2.txt','done',1,1,2,0,3,'545b97492c92b2df5f308b19bd5b280cb9a9bf77d2000b99791769eb724b7b6f','"60cf4244829876c1beff39a7025023b5"','2026-11-28T05:24:24+00:00',1,NULL);
CREATE TABLE calls (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    artifact INTEGER NOT NULL UNIQUE,
    run INTEGER NOT NULL,
    error TEXT
);
CREATE TABLE ended (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    read TEXT NOT NULL,
    items TEXT NOT NULL,
    PRIMARY KEY (kind, key)
) WITHOUT ROWID;
INSERT INTO "ended" VALUES('jobs','48268673-23a7-411a-8133-287637ebdcd9','2026-11-28T05:24:24.127913+00:00','[[1,"test-0","success"],[2,"test-1","success"]]');
INSERT INTO "ended" VALUES('workflows','f7c1bd87-4da5-4709-9471-3d60c8a70639','2026-11-28T05:24:24.127913+00:00','[["48268673-23a7-411a-8133-287637ebdcd9","build","2026-11-28T04:24:23.975000+00:00","success"]]');
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY,
    project TEXT NOT NULL,
    number INTEGER NOT NULL,
    name TEXT NOT NULL,
    workflow TEXT NOT NULL,
    pipeline INTEGER NOT NULL,
    listed TEXT NOT NULL,
    run INTEGER NOT NULL,
    UNIQUE (project, number)
);
INSERT INTO "jobs" VALUES(1,'gh/acme/api',1,'test-0','build',1,'whole',1);
INSERT INTO "jobs" VALUES(2,'gh/acme/api',2,'test-1','build',1,'begun',1);
CREATE TABLE listings (
    selection TEXT NOT NULL,
    kind TEXT NOT NULL,
    project TEXT NOT NULL,
    key TEXT NOT NULL,
    name TEXT NOT NULL,
    detail TEXT NOT NULL,
    run INTEGER NOT NULL,
    error TEXT,
    PRIMARY KEY (selection, kind, project, key)
);
INSERT INTO "listings" VALUES('{"path": "logs/[12].txt"}','artifacts','gh/acme/api','2','job 2 (test-1) of gh/acme/api','[1, "build", "test-1", 2, true]',1,'400 Bad Request: Bad Request. (GET http://127.0.0.1:43491/api/v2/project/gh/acme/api/2/artifacts, request caf46c7c-ecbb-4d98-8094-000000000005)');
CREATE TABLE pipelines (
    project TEXT NOT NULL,
    number INTEGER NOT NULL,
    id TEXT NOT NULL,
    created TEXT NOT NULL,
    branch TEXT,
    tag TEXT,
    revision TEXT,
    PRIMARY KEY (project, number)
);
INSERT INTO "pipelines" VALUES('gh/acme/api',1,'f7c1bd87-4da5-4709-9471-3d60c8a70639','2026-11-28T04:24:23.975000+00:00','main',NULL,'e87a1613e443df789558867f5ba91faf7a024204');
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    selection TEXT NOT NULL,
    began TEXT NOT NULL,
    ended TEXT
);
INSERT INTO "runs" VALUES(1,'{"path": "logs/[12].txt"}','2026-11-28T05:24:24.127447+00:00','2026-11-28T05:24:24.201416+00:00');
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
INSERT INTO "settings" VALUES('layout','{project}/{pipeline}/{workflow}/{job}-{number}/{node}/{path}');
CREATE UNIQUE INDEX places ON artifacts (lower(target));
CREATE INDEX queue ON artifacts (turn) WHERE state = 'found';
CREATE INDEX unsettled ON artifacts (job) WHERE state = 'fetched';
DELETE FROM "sqlite_sequence";
COMMIT;
