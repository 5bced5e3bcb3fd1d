-- +goose Up
CREATE TABLE settings (
    name  text PRIMARY KEY,
    value text NOT NULL
);

CREATE TABLE accounts (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email   text NOT NULL UNIQUE,
    role    text NOT NULL CHECK (role IN ('owner', 'staff', 'visitor')),
    created timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE pages (
    path  text PRIMARY KEY,
    title text NOT NULL,
    body  text NOT NULL
);

-- +goose Down
DROP TABLE pages;
DROP TABLE accounts;
DROP TABLE settings;
