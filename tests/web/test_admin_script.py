"""What our script mends in the admin's pages, in a browser."""

import subprocess
from pathlib import Path

from tests.partners import presence

SCRIPT = Path(__file__).resolve().parents[2] / "protocols/web/static/mailhost/admin.js"
# As unfold writes it, with the two lines of Alpine that matter here.
PAGE = """<!doctype html><meta charset="utf-8"><html lang="es"><body><main id="content">aside</main>
<div style="position: relative">
<div class="cursor-pointer" x-on:click="open = !open">…</div>
<nav id="tabs-dropdown" style="position: absolute; display: none"><a href="#one">One</a></nav>
</div><output></output>
<script>%(script)s</script>
<script>
const menu = document.getElementById("tabs-dropdown"), button = menu.previousElementSibling;
button.addEventListener("click", () => {
  menu.style.display = menu.style.display === "none" ? "flex" : "none";
});
const said = [];
const note = (deed) => said.push(`${deed}:${menu.style.display}`);
const press = (key) => button.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
addEventListener("DOMContentLoaded", () => {
  press("Enter"); note("opened");
  menu.firstElementChild.click(); note("chosen");
  button.click(); note("again");
  document.getElementById("content").click(); note("aside");
  button.click(); press("Escape"); note("escape");
  press("Escape"); note("nothing");
});
addEventListener("load", () => addEventListener("resize", () => {
  document.querySelector("output").textContent = [...said, "counted"].join(" ");
}));
</script>"""


def test_the_menu_of_tabs_has_room_and_does_not_stay_over_what_was_chosen(tmp_path: Path) -> None:
    presence.need("chromium")
    page = tmp_path / "page.html"
    page.write_text(PAGE % {"script": SCRIPT.read_text()})
    browser = [str(presence.program("chromium")), "--headless=new", "--no-sandbox", "--disable-gpu"]
    browser += ["--dump-dom", "--virtual-time-budget=1000"]
    answer = subprocess.run(
        [*browser, f"--user-data-dir={tmp_path / 'profile'}", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    said = answer.stdout.partition("<output>")[2].partition("</output>")[0].split()
    assert said == [
        *("opened:flex", "chosen:none", "again:flex", "aside:none"),
        *("escape:none", "nothing:none"),
        # What unfold does when it has been loaded, it does again: else pages scroll sideways.
        "counted",
    ]
