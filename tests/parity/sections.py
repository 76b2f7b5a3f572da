"""Parts of robustmeta/corruptions/README.md that a program writes."""

from pathlib import Path

README = Path(__file__).parents[2] / "robustmeta" / "corruptions" / "README.md"


def marks(section: str) -> tuple[str, str]:
    """The lines around a section."""
    return f"<!-- {section} -->\n", f"<!-- /{section} -->"


def read_section(text: str, section: str) -> str:
    """What stands between the marks of a section.

    Raises:
        ValueError: the text has no such section.
    """
    opening, closing = marks(section)
    start = text.index(opening) + len(opening)
    return text[start : text.index(closing, start)]


def write_section(file: Path, section: str, content: str) -> None:
    """Put new content between the marks of a section of a file."""
    text, (opening, _) = file.read_text(), marks(section)
    before = read_section(text, section)
    file.write_text(text.replace(f"{opening}{before}", f"{opening}\n{content}\n\n", 1))
