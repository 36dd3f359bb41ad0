"""Mail at rest: tenants, domains, mailboxes, aliases, and the folders and messages they hold."""
