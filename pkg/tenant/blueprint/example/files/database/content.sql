-- The first content, once for each database. Values of the spec come as settings of the session, so
-- nothing has to be quoted.
INSERT INTO settings (name, value) VALUES
    ('title', current_setting('tenant.title')),
    ('locale', current_setting('tenant.locale')),
    ('booking', current_setting('tenant.booking'));

INSERT INTO accounts (email, role) VALUES (current_setting('tenant.owner'), 'owner');

INSERT INTO pages (path, title, body) VALUES
    ('/', current_setting('tenant.title'), 'Welcome'),
    ('/imprint', 'Imprint', ''),
    ('/privacy', 'Privacy', '');
