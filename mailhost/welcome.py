"""What `up` tells its reader once everything answers: where things are and what to try."""

from mailhost.config import Config


def welcome(config: Config, passwords: dict[str, str], credentials_file: str | None) -> str:
    """`passwords` is empty except at the very first start, which is the only time they are told."""
    host = config.url_host
    lines = [
        "",
        f"  Mailhost is running. State lies in {config.home.absolute()}",
        "",
        f"  Admin         http://{host}:{config.web_port}/admin/",
        f"  SMTP          {host}:{config.smtp_port}",
        f"  Submission    {host}:{config.submission_port} (STARTTLS), "
        f"{config.submissions_port} (TLS)",
        f"  IMAP          {host}:{config.imap_port} (STARTTLS), {config.imaps_port} (TLS)",
        f"  POP3          {host}:{config.pop3_port} (STARTTLS), {config.pop3s_port} (TLS)",
        "",
    ]
    if passwords:
        lines.append("  Passwords, shown this once:")
        lines += [f"    {name:<22}{password}" for name, password in passwords.items()]
        lines += [f"  They are kept in {credentials_file}", ""]
    elif credentials_file:
        lines += [f"  Passwords of the demo: {credentials_file}", ""]
    if credentials_file:
        lines += [
            f"  Try a dialogue:   nc -C {config.own_address} {config.smtp_port}",
            "    HELO there.example · MAIL FROM:<me@there.example> · RCPT TO:<alice@example.test>",
            "    DATA · Subject: hello · (an empty line) · How are you? · . · QUIT",
            "  Read it:",
            f"    curl -u alice@example.test 'imap://{host}:{config.imap_port}/INBOX;MAILINDEX=1'",
            "",
        ]
    lines += ["  Ctrl-C stops everything.", ""]
    return "\n".join(lines)
