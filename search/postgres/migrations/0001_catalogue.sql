-- A catalogue: its documents, how many of them have each term, and what it does with the owner's fields.

CREATE TABLE catalogue (
    schema json NOT NULL,
    revision bigint NOT NULL DEFAULT 0, -- of the schema
    documents bigint NOT NULL DEFAULT 0,
    changes bigint NOT NULL DEFAULT 0  -- of the documents
);
INSERT INTO catalogue (schema) VALUES ('{"fields": {}, "boosts": {}, "synonyms": []}');

CREATE SEQUENCE numbers;

CREATE TYPE document AS (
    number bigint,                     -- documents in the order in which they came
    popularity double precision,
    weight double precision,           -- what popularity multiplies a score by
    lengths integer[],                 -- terms in title, body, and the owner's searched fields by their names
    repeated jsonb,                    -- how often a term is there, if more than once
    terms tsvector,                    -- 'title:red', 'aliases:red', 'aliases=red_shoes', 'body:red', 'brand:red'
    id text COLLATE "C",
    record json,                       -- as the owner gave it
    named json,                        -- names and their phones
    sounds text[] COLLATE "C",         -- keys of the names' phones
    compared text[] COLLATE "C",       -- 'country:is': what filters compare
    written jsonb,                     -- {"country": ["IS"]}: what facets count
    quantities jsonb                   -- {"population": [118918]}: what ranges compare
);

-- What is read of all documents that match lies together; the rest is elsewhere, if it is long.
CREATE TABLE documents OF document (number WITH OPTIONS DEFAULT nextval('numbers')) WITH (toast_tuple_target = 512);
ALTER TABLE documents ALTER COLUMN terms SET STORAGE MAIN;
CREATE UNIQUE INDEX ON documents (id);
CREATE UNIQUE INDEX ON documents (number);
CREATE INDEX ON documents USING gin (terms) WITH (fastupdate = off);
CREATE INDEX ON documents USING gin (sounds) WITH (fastupdate = off);
CREATE INDEX ON documents USING gin (compared) WITH (fastupdate = off);

-- How many documents have each lexeme of `terms`, and each of `sounds`, which have neither ':' nor '='.
CREATE TABLE terms (
    term text COLLATE "C" PRIMARY KEY,
    documents bigint NOT NULL
);

-- The sum of `documents.lengths`, by position.
CREATE TABLE lengths (
    position integer PRIMARY KEY,
    total bigint NOT NULL
);
