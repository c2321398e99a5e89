"""The report of a search: self-contained, whole or not, readable without scripts, and nothing of the user's runs in it."""

import json
import re
import shutil
from html.parser import HTMLParser

import plotly.graph_objects
import pytest
import yaml

from glocal.errors import SearchError
from glocal.reporting import write_report
from glocal.reporting.searches.level_folder import LevelFolder


class Page(HTMLParser):
    """What a browser without scripts shows, what it would fetch, and the figures' data."""

    def __init__(self, html):
        super().__init__()
        self.shown, self.fetched, self.ids, self.plots, self._tags = "", [], [], None, []
        self.feed(html)
        self.shown = " ".join(self.shown.split())

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self._tags.append((tag, attributes.get("id")))
        self.ids += [attributes["id"]] if tag == "div" and "id" in attributes else []
        self.fetched += [attributes[name] for name in ("src", "href", "data", "action") if name in attributes]

    def handle_endtag(self, tag):
        while self._tags and self._tags.pop()[0] != tag:
            pass

    def handle_data(self, data):
        inside = self._tags[-1] if self._tags else ("", None)
        if inside == ("script", "plots"):
            self.plots = json.loads(data)
        elif inside[0] not in ("script", "style"):
            self.shown += data + " "


@pytest.fixture(scope="session")
def html(searched):
    return write_report(searched).read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def page(html):
    return Page(html)


def test_it_is_in_the_folder_and_needs_no_network(searched, html, page):
    assert (searched / "report.html").is_file()
    assert [place for place in page.fetched if not place.startswith("#")] == []
    assert not re.search(r"@import|url\((?!#)", html[: html.index("<script")])
    assert "default-src 'none'" in html
    assert html.count("plotly.js v") == 1


def test_the_main_facts_are_there_without_scripts(searched, page):
    scores = json.loads((searched / "winner" / "winner.json").read_text())
    for fact in (
        f"{scores['accuracy']:.2%} on 5,000 held-out pictures",
        f"95 % interval {scores['low']:.2%} to {scores['high']:.2%}",
        "glocal search cifar10 --space glit_cifar_48_6 --max-macs 22M --budget 4h",
        "at most 22 M multiply-adds",
        "distribution/supernet 30 epochs 1:02:03",
        "details/candidates 192 13 min",
        "recipe lr 0.001",
        "Level 1: distribution",
        "Level 2: details",
        "6 questions, 4,096 networks",
        "192 in 8 generations",
        "Kendall's tau of the supernet's accuracy +0.58 (+0.31 to +0.78)",
        "arch = Architecture(",
        "Architecture: name: glit_cifar_48_6_found",
        "winner/architecture.yaml --seed 1",
        "winner/weights.safetensors cifar10 --split test",
        "took no part tell how good it is: the test split",
    ):
        assert fact in page.shown, fact


def test_the_page_warns_of_what_matters(page):
    used = 2 * 192 + 2 * 5 + 2 * 20
    assert f"The 5,000 held-out pictures were used {used} times to choose" in page.shown
    assert "details: the 95 % intervals of the winner and of the finalists in place 2" in page.shown
    assert "these pictures cannot tell" in page.shown
    assert "details: how far the supernet's order can be trusted was not measured; glocal rank" in page.shown


def test_a_race_is_shown_with_who_went_when_and_why(race_of_mine):
    text = write_report(race_of_mine.parents[1]).read_text(encoding="utf-8")
    figures = [
        text.split(f'id="{name}-candidates"')[1].split("<h3>")[0].count("<figure>")
        for name in ("distribution", "details")
    ]
    assert figures == [1, 0], "of generations, of which a race has one"
    page = Page(text)
    details = page.shown[page.shown.index("Level 2: details") :]
    assert "who was dropped, when and why" in details
    assert len(re.findall(r"\d\d\.\d\d%: no place", details)) == 6
    assert (
        "named 5 of the 9 networks, of which 2 came to the last rung, and 1 of the others. Its order has a tau "
        "of +0.25 (-0.12 to +0.50) with that after 3 epochs. The winner is its number 12 of 200."
        in " ".join(details.split())
    )
    assert "supernet" not in details
    assert "details: how far the supernet's order" not in page.shown
    assert "details-supernet" not in page.plots
    assert "accuracy in the race, %" in json.dumps(page.plots["details-candidates"]["layout"])


def test_finalists_are_ordered_by_their_own_accuracy_beside_the_supernets_order(searched):
    finalists = LevelFolder(searched / "details").finalists
    assert finalists[0].winner
    assert [f.accuracy for f in finalists] == sorted((f.accuracy for f in finalists), reverse=True)
    assert sorted(f.place for f in finalists) == [1, 2, 3, 4, 5]
    by_supernet = sorted(finalists, key=lambda f: f.place)
    assert [f.supernet_accuracy for f in by_supernet] == sorted((f.supernet_accuracy for f in finalists), reverse=True)


def test_figures_are_plotlys_and_have_their_places(page):
    assert set(page.ids) == set(page.plots)
    for plot in page.plots.values():
        plotly.graph_objects.Figure(plot)  # refuses what plotly does not know
    dots = page.plots["details-candidates"]["data"][0]
    assert len(dots["x"]) == 192
    assert re.search(r"<b>\d(-\d)+</b><br>\d\d\.\d\d% \(.+ pictures\).+generation 0, random", dots["text"][0])


def test_text_of_users_is_shown_and_not_run(search_of_mine):
    path = search_of_mine / "search.yaml"
    about = yaml.safe_load(path.read_text())
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"
    about |= {"command": evil, "source": evil, "recipe": {evil: evil}, "settings": {"space": evil}, "classes": [evil]}
    (search_of_mine / "quote.txt").write_text(evil)
    path.write_text(yaml.safe_dump(about))
    arch = search_of_mine / "winner" / "architecture.yaml"
    arch.write_text(arch.read_text().replace("glit_cifar_48_6_found", f"'{evil}'"))
    rows = search_of_mine / "details" / "candidates.csv"
    rows.write_text(rows.read_text().replace(",random,", f",{evil},"))
    html = write_report(search_of_mine).read_text(encoding="utf-8")
    assert "<img src=x" not in html
    assert "<script>alert" not in html
    assert evil in Page(html).shown


def test_the_password_of_a_storage_is_not_shown(search_of_mine):
    path = search_of_mine / "search.yaml"
    url = "postgresql://me:s3cr:et@host/searches"
    about = yaml.safe_load(path.read_text()) | {
        "command": f"glocal search digits --storage {url}",
        "machine": {"storage": url},
    }
    path.write_text(yaml.safe_dump(about))
    html = write_report(search_of_mine).read_text(encoding="utf-8")
    assert "s3cr" not in html
    assert html.count("postgresql://me@host/searches") == 2


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [
        ("winner", "The search has not ended"),
        ("winner/winner.json", "Its accuracy was not written"),
        ("details/space.yaml", "The space was not written"),
        ("details/supernet", "No epoch of its supernet has ended"),
        ("details/candidates.csv", "No candidate has been evaluated"),
        ("details/finalists.csv", "No finalist has been retrained"),
        ("plan.json", "The time spent was not written"),
        ("distribution/rank.json", "no networks were trained alone to compare with"),
    ],
)
def test_what_a_search_has_not_reached_is_replaced_by_a_sentence(search_of_mine, missing, sentence):
    place = search_of_mine / missing
    shutil.rmtree(place) if place.is_dir() else place.unlink()
    assert sentence in Page(write_report(search_of_mine).read_text(encoding="utf-8")).shown


def test_a_search_that_has_just_started_has_a_page(tmp_path):
    (tmp_path / "search.yaml").write_text("command: glocal search digits\nlevels: [one]\n")
    page = Page(write_report(tmp_path).read_text(encoding="utf-8"))
    assert "No winner yet." in page.shown
    assert page.plots is None


def test_a_source_without_a_split_for_the_end_gets_no_command_for_one(search_of_mine):
    path = search_of_mine / "search.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"split_rule": "val is 10 of 50"}))
    shown = Page(write_report(search_of_mine).read_text(encoding="utf-8")).shown
    assert "--split" not in shown
    assert "tell how good it is, and this source has no others" in shown


def test_candidates_that_wait_are_not_counted(search_of_mine):
    rows = search_of_mine / "details" / "candidates.csv"
    with rows.open("a") as file:
        file.write("details,8,0,random,0-0-0-0-0-0,,,,9000000,150000,,,,\n")
    assert "192 in 8 generations" in Page(write_report(search_of_mine).read_text(encoding="utf-8")).shown


def test_the_page_warns_of_a_supernet_whose_largest_path_lags(search_of_mine):
    path = search_of_mine / "details" / "supernet" / "metrics.csv"
    head, *_, last = path.read_text().splitlines()
    cells = last.split(",")
    cells[head.split(",").index("val_top1_max")] = "0.4"
    path.write_text(f"{head}\n{','.join(cells)}\n")
    shown = Page(write_report(search_of_mine).read_text(encoding="utf-8")).shown
    assert "details: the supernet's largest path (40.00%) is behind its median path" in shown


def test_a_folder_that_is_no_search_is_an_error(tmp_path):
    with pytest.raises(SearchError, match="is not a folder; give the folder of a search"):
        write_report(tmp_path / "nowhere")
    with pytest.raises(SearchError, match=r"has no search\.yaml, so it is not the folder of a search"):
        write_report(tmp_path)


@pytest.mark.parametrize(
    ("path", "text", "message"),
    [
        ("search.yaml", "levels: [a", r"search\.yaml is not whole"),
        ("search.yaml", "seed: 1", r"search\.yaml is not whole: it must have the names of the search's levels"),
        ("details/candidates.csv", "generation,answers\n0,1\n", "has no column origin, accuracy, n, seconds"),
        ("details/finalists.csv", "place\n1\n", "has no column answers"),
        ("distribution/rank.json", "{", r"rank\.json is not whole"),
        ("distribution/rank.json", "[]", r"rank\.json is not whole: it must have n, tau"),
        ("winner/winner.json", '{"accuracy": 0.5}', r"winner\.json is not whole: it must have accuracy, low, high, n"),
        ("winner/architecture.yaml", "Architecture: {nome: x}", r"architecture\.yaml cannot be read: .*nome"),
        ("winner/architecture.yaml", "LN", r"describes no Architecture"),
    ],
)
def test_a_file_that_is_not_whole_is_named(search_of_mine, path, text, message):
    (search_of_mine / path).write_text(text)
    with pytest.raises(SearchError, match=message):
        write_report(search_of_mine)


def test_an_accuracy_that_is_no_fraction_is_named(search_of_mine):
    rows = search_of_mine / "details" / "finalists.csv"
    rows.write_text(rows.read_text().replace(",0.8", ",80.8"))
    with pytest.raises(SearchError, match=r"finalists\.csv is not whole: 80.* is not an accuracy"):
        write_report(search_of_mine)


def test_a_row_that_was_cut_short_is_named(search_of_mine):
    rows = search_of_mine / "details" / "candidates.csv"
    rows.write_text(rows.read_text()[:-30])
    with pytest.raises(SearchError, match=r"candidates\.csv is not whole: a row has more or fewer cells"):
        write_report(search_of_mine)
