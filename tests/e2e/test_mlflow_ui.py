"""What a newcomer sees: MLflow's own server and pages, in Chromium, after following the link that ``ui`` prints."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
from conftest import unavailable
from results_factory import make_results
from tracking_audit import make_root

from robustmeta.report.page import write
from robustmeta.store.palette import colours
from robustmeta.store.results import Results
from robustmeta.tracking import Tracked, sync
from robustmeta.tracking.server import serve

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:mlflow"),  # of its own code
]
T = TypeVar("T")
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1500,1100"),
)


@dataclass(frozen=True)
class Ui:
    """``ui`` in a process of its own: what it printed until it was ready, and the address in its first link."""

    process: "subprocess.Popen[str]"
    lines: list[str]

    @property
    def link(self) -> str:
        return self.lines[0].removeprefix("made: ")

    @property
    def url(self) -> str:
        return self.link.partition("/#")[0]


@pytest.fixture(scope="module")
def results() -> Results:
    return make_results()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        yield make_root(tmp_path_factory.mktemp("ui") / "mlruns")


@pytest.fixture(scope="module")
def tracked(root: Path, results: Results) -> Tracked:
    write(results, root / "report.html")
    return sync(results, root, {"report.html": root / "report.html"})


@pytest.fixture(scope="module")
def served(tracked: Tracked, root: Path) -> Iterator[Ui]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    code = (
        "import sys; from pathlib import Path; from robustmeta.tracking.server import ui; "
        f"ui(Path({str(root)!r}), {port}, False, lambda line: print(line, flush=True))"
    )
    command = [sys.executable, "-c", code]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout
    with process, process.stdout as said:
        try:
            yield Ui(process, [line.strip() for line in iter(said.readline, "Ctrl-C ends the server\n")])
        finally:
            process.terminate()
            process.wait(30)


def post(served: Ui, what: str, body: dict[str, Any]) -> dict[str, Any]:
    data, header = json.dumps(body).encode(), {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{served.url}/api/2.0/mlflow/{what}", data, header)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def test_runs_search_answers_over_http(served: Ui, tracked: Tracked) -> None:
    found = post(served, "runs/search", {"experiment_ids": [tracked.experiment_id], "max_results": 100})["runs"]
    assert len(found) == 3 + 3 * 2 + 1
    only = {"filter": "tags.`robustmeta.kind` = 'learner'", "experiment_ids": [tracked.experiment_id]}
    names = {run["info"]["run_name"] for run in post(served, "runs/search", only)["runs"]}
    assert names == {"maml", "protonet", "supervised"}


def test_it_says_where_the_curves_are_and_the_plain_command(served: Ui, tracked: Tracked, root: Path) -> None:
    link, command = served.lines
    assert link == f"made: {served.url}/{tracked.curves}"
    assert f"mlflow server --backend-store-uri sqlite:///{root}/mlflow.db" in command
    assert "--workers 1" in command


def test_a_server_can_be_what_is_synced_to(
    served: Ui, results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", served.url)
    other = make_results(seeds=(0,), learners=("maml",), targets=("one",), name="remote")
    first = sync(other, tmp_path, {})
    assert sync(other, tmp_path, {}) == first
    assert not list(tmp_path.iterdir())
    with serve(tmp_path, 1) as again:
        assert again.links["remote"] == f"{served.url}/{first.curves}"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        unavailable("needs Debian's packages chromium and chromium-driver")
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    options = ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    with Chrome(options, Service(driver)) as chrome:
        yield chrome


def wait(look: Callable[[], T], seconds: float = 60) -> T:
    """The first thing found that is not empty; the last look otherwise."""
    deadline = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return found


PLOTS = """
return [...document.querySelectorAll('.js-plotly-plot')].map(plot => ({
  card: plot.closest('[data-testid="experiment-view-compare-runs-card"]')?.innerText ?? '',
  lines: plot.data.filter(t => (t.mode ?? '').includes('markers') && t.name)
                  .map(t => [t.name, [...t.x].map((x, i) => [x, t.y[i]])]),
}));
"""


def curves(browser: Any) -> dict[str, dict[str, dict[int, float]]]:
    """Chart title -> learner -> step -> value, from the drawn traces of the page."""
    found: dict[str, dict[str, dict[int, float]]] = {}
    for plot in browser.execute_script(PLOTS):
        title = next((line for line in plot["card"].splitlines() if line.startswith("acc/")), "")
        found[title] = {name: {int(x): y for x, y in points} for name, points in plot["lines"]}
    return found


@pytest.mark.browser
def test_the_link_shows_a_curve_a_learner_with_the_records_points(
    browser: Any, served: Ui, results: Results, tmp_path: Path
) -> None:
    browser.get(served.link)
    points = results.points[results.points["metric"] == "accuracy"]
    clean = points[points["axis"] == "clean"].set_index(["learner", "target"])["mean"]
    expected: dict[str, dict[str, dict[int, float]]] = {}
    for row in points[points["axis"] != "clean"].itertuples():
        chart = expected.setdefault(f"acc/{row.target}/{row.shift}", {})
        chart.setdefault(row.learner, {0: clean[row.learner, row.target]})[row.step] = row.mean
    found = wait(lambda: (seen := curves(browser)) == expected and seen) or curves(browser)
    screenshot(browser, "curves")
    assert set(found) == set(expected)
    for chart, lines in expected.items():
        assert found[chart] == {name: pytest.approx(line, abs=1e-12) for name, line in lines.items()}
    shown = browser.page_source
    for colour in colours(["maml", "protonet", "supervised"]).values():
        assert colour in shown


@pytest.mark.browser
def test_the_note_links_to_the_report_and_it_is_rendered(browser: Any, served: Ui, tracked: Tracked) -> None:
    browser.get(served.link)
    links = wait(lambda: browser.find_elements("link text", "Report"))
    assert links[0].get_attribute("href") == f"{served.url}/{tracked.report}"
    browser.get("about:blank")
    browser.get(f"{served.url}/{tracked.report}")
    frame = wait(lambda: browser.find_elements("css selector", "iframe[sandbox]"))
    assert frame
    time.sleep(1)
    screenshot(browser, "report")
    browser.switch_to.frame(frame[0])
    text = wait(lambda: browser.find_element("tag name", "body").text)
    browser.switch_to.default_content()
    assert "made" in text
    assert "protonet" in text
    assert "gaussian_noise" in text


@pytest.mark.browser
def test_the_table_has_the_summaries(browser: Any, served: Ui, tracked: Tracked) -> None:
    browser.get("about:blank")
    browser.get(f"{served.url}/{tracked.table}")
    first = ["summary/clean_acc", "summary/corrupted_acc"]
    assert wait(lambda: headers(browser)[:2] == first), headers(browser)
    screenshot(browser, "table")
    body = browser.find_element("tag name", "body").text
    assert body.index("maml") < body.index("protonet") < body.index("supervised")
    assert "0.865" in body


def headers(browser: Any) -> list[str]:
    """The metric columns from left to right; their order in the document is another."""
    script = (
        "const left = cell => cell.getBoundingClientRect().left;"
        "return [...document.querySelectorAll('.ag-header-cell')]"
        ".sort((a, b) => left(a) - left(b)).map(cell => cell.innerText)"
    )
    return [text for text in browser.execute_script(script) if "/" in text]


def screenshot(browser: Any, name: str) -> None:
    """Kept for people where ROBUSTMETA_SCREENSHOTS names a folder."""
    folder = os.environ.get("ROBUSTMETA_SCREENSHOTS")
    if folder:
        close = "[data-component-id='mlflow.assistant.chat_panel.close']"
        for button in browser.find_elements("css selector", close):
            button.click()
            time.sleep(1)
        browser.save_screenshot(str(Path(folder) / f"{name}.png"))


def test_sigterm_ends_the_server_with_all_its_children(served: Ui) -> None:
    served.process.terminate()
    served.process.wait(30)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", int(served.url.rpartition(":")[2])))
