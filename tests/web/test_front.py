"""The page at /: what it says, what it lets a browser load, and its colours."""

import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

from protocols.web import health

pytestmark = pytest.mark.django_db


def test_it_says_what_this_is_and_leads_to_the_admin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("protocols.web.front.missing_parts", list)
    answer = Client().get("/")
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "mx.example.test carries mail." in page
    assert 'href="/admin/"' in page
    assert "Everything answers." in page
    for port in ("2993", "2143", "2995", "2465", "2587"):
        assert port in page


def test_it_says_what_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("protocols.web.front.missing_parts", lambda: ["worker"])
    page = Client().get("/").content.decode()
    assert "Not everything answers yet:" in page
    assert "worker" in page


def test_it_keeps_a_strict_policy_and_keeps_to_it() -> None:
    answer = Client().get("/")
    assert answer["Content-Security-Policy"].startswith("default-src 'self'")
    page = answer.content.decode()
    assert "<script" not in page
    assert " style=" not in page
    assert not re.search(r'(src|href)="(https?:)?//', page)


def test_its_files_are_there() -> None:
    page = Client().get("/").content.decode()
    names = re.findall(r'"/static/([^"]+)"', page)
    assert len(names) >= 4
    assert [name for name in names if finders.find(name) is None] == []


def test_it_changes_nothing() -> None:
    assert Client().post("/").status_code == 405


# Contrast, as WCAG 2 computes it from OKLCH (Björn Ottosson's matrices).


def luminance(lightness: float, chroma: float, hue: float) -> float:
    from math import cos, radians, sin

    a, b = chroma * cos(radians(hue)), chroma * sin(radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    red = 4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short
    green = -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short
    blue = -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short
    red, green, blue = (min(1.0, max(0.0, each)) for each in (red, green, blue))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def themes() -> list[dict[str, float]]:
    """The luminance of every colour token, light theme first."""
    found = finders.find("mailhost/tokens.css")
    assert isinstance(found, str)
    light, dark = Path(found).read_text().split("@media (prefers-color-scheme: dark)")
    return [
        {
            name: luminance(float(lightness), float(chroma), float(hue))
            for name, lightness, chroma, hue in re.findall(
                r"--([\w-]+): oklch\(([\d.]+) ([\d.]+) ([\d.]+)\)", css
            )
        }
        for css in (light, dark)
    ]


@pytest.mark.parametrize("theme", themes(), ids=["light", "dark"])
@pytest.mark.parametrize(
    ("text", "ground", "least"),
    [
        ("base-content", "base-100", 4.5),
        ("base-content", "base-200", 4.5),
        ("muted", "base-100", 4.5),
        ("muted", "base-200", 4.5),
        ("faint", "base-200", 4.5),
        ("primary", "base-200", 4.5),
        ("fill-content", "fill", 4.5),
        ("success", "success-soft", 4.5),
        ("warning", "warning-soft", 4.5),
        ("error", "error-soft", 4.5),
        ("edge", "base-100", 3.0),
        ("edge", "base-200", 3.0),
    ],
)
def test_everybody_can_read_it(
    theme: dict[str, float], text: str, ground: str, least: float
) -> None:
    brighter, darker = sorted((theme[text], theme[ground]), reverse=True)
    assert (brighter + 0.05) / (darker + 0.05) >= least


def test_no_rule_names_a_colour_by_value() -> None:
    found = finders.find("mailhost/front.css")
    assert isinstance(found, str)
    css = Path(found).read_text()
    assert not re.search(r"#[0-9a-fA-F]{3,8}\b|rgb\(|hsl\(|oklch\(", css)
    assert "url(data:" not in css


@pytest.fixture(autouse=True)
def _forget() -> None:
    health.forget()
