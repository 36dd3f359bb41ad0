"""manage.py fsck: prove the mail store."""

import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from accounts import fsck, garbage
from accounts.blobs import BlobMissing
from accounts.mailstore import search_tailer
from accounts.management.plain import PlainCommand
from accounts.management.verbs import Options, told_in_a_line


class Command(PlainCommand):
    help = (
        "Prove every row's octets, every counter and every file, with one sentence a finding."
        " Exits with 1 when anything is wrong and was not repaired. The server may run meanwhile."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--repair",
            action="store_true",
            help="put wrong counters and search indexes right, and give back a missing INBOX",
        )
        parser.add_argument(
            "--prepare",
            action="store_true",
            help="renew what an older version prepared for FETCH and SEARCH",
        )
        parser.add_argument(
            "--collect", action="store_true", help="free the space of what nothing needs any more"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        with told_in_a_line():
            self._prove(options)

    def _prove(self, options: Options) -> None:
        def progress(text: str) -> None:
            if options["verbosity"] > 0 and not options["json"]:
                self.stderr.write(f"… {text}")

        report: dict[str, Any] = {}
        if options["collect"]:
            try:
                report["collected"] = asdict(garbage.collect())
            except BlobMissing as error:
                # What is damaged is found below; all the rest was collected.
                self.stderr.write(f"Not everything was collected: {error}.")
        if options["prepare"]:
            report["prepared"] = fsck.prepare_again(progress)
            report["texts read"] = search_tailer.catch_up(float("inf"), rests=False)
        findings = []
        for finding in fsck.check(progress, is_repairing=options["repair"]):
            findings.append(finding)
            if not options["json"]:
                mark = "repaired: " if finding.is_repaired else "" if finding.is_fault else "note: "
                self.stdout.write(mark + finding.text)
        is_clean = not any(each.is_fault and not each.is_repaired for each in findings)
        if options["json"]:
            report |= {"clean": is_clean, "findings": [asdict(each) for each in findings]}
            self.stdout.write(json.dumps(report, indent=2, ensure_ascii=False))
        else:
            for name, value in report.items():
                self.stdout.write(f"{name}: {value}")
            self.stdout.write("clean" if is_clean else "NOT CLEAN")
        if not is_clean:
            sys.exit(1)
