import base64
import io
import re

import numpy as np
import pytest
from nibabel import orientations
from PIL import Image
from playwright.sync_api import sync_playwright

from liverjax.errors import InputError
from liverjax.reporting.case_page import save_report_page
from liverjax.reporting.case_report import NO_LIVER, NOTICE, UNKNOWN_SPACING, build_report
from liverjax.volume import Geometry, Segmentation, Volume
from tests.conftest import require_program

SHAPE = (24, 60, 80)
BODY = ((0, 24), (5, 55), (5, 75))
GRID = Geometry.from_axes((-20.0, 10.0, 100.0), (3.0, 1.0, 1.0))
UNKNOWN = Geometry.from_axes((0.0, 0.0, 0.0), None)
VIEWS = {"axial": (0, 2, 1), "coronal": (1, 2, 0), "sagittal": (2, 1, 0)}  # axis, across, down
NETWORK = {
    "checkpoint": "0123456789abcdef",
    "step": 300,
    "commit": None,
    "recipe": "resized",
    "postprocess": {"threshold": 0.5, "min_voxels": 10, "min_ml": 0.0, "flips": False},
    "chosen_on": [],
}
SOURCE = {
    "liverjax": {"version": "0.1.0", "commit": "ab" * 20},
    "liver": NETWORK,
    "tumor": NETWORK,
}


def make_labels():
    """A liver on the patient's right with two tumours, far apart."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[4:20, 12:45, 10:45] = 1
    labels[6:10, 16:26, 16:26] = 2
    labels[14:17, 30:36, 34:40] = 2
    return labels


def make_hu():
    """A body of noise, and a bright marker to the left, the front and the head."""
    hu = np.full(SHAPE, -1000, np.int16)
    hu[tuple(slice(*side) for side in BODY)] = np.random.default_rng(0).integers(
        -20, 80, [stop - start for start, stop in BODY]
    )
    hu[16:20, 9:15, 60:68] = 240
    return hu


def save(path, hu=None, labels=None, geometry=GRID, **changes):
    volume = Volume(make_hu() if hu is None else hu, geometry)
    segmentation = Segmentation(make_labels() if labels is None else labels, geometry)
    report = {**build_report(volume, segmentation, source=SOURCE), **changes}
    save_report_page(path, report, volume, segmentation)
    return path


@pytest.fixture(scope="module")
def browser():
    program = require_program("chromium")
    with sync_playwright() as playwright:
        # Its sandbox needs rights that a container does not give.
        arguments = ["--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        yield browser
        browser.close()


def open_tab(browser):
    """A tab, and what its pages ask for and complain of."""
    page, seen = browser.new_page(viewport={"width": 1200, "height": 900}), []
    page.on("console", lambda message: seen.append(message.text))
    page.on("pageerror", lambda error: seen.append(str(error)))
    page.on("request", lambda request: seen.append(request.url))
    return page, seen


def open_file(page, path):
    page.goto(path.as_uri())
    page.wait_for_selector("#position:not(:empty)")
    page.uncheck("#show-cross")


@pytest.fixture(scope="module")
def tab(browser):
    """One for all files but the first."""
    return open_tab(browser)


@pytest.fixture
def load(tab):
    """Opens a file; it must ask for nothing but itself and complain of nothing."""
    page, seen = tab
    asked = []

    def open_page(path):
        open_file(page, path)
        asked.append(path.as_uri())
        return page

    seen.clear()
    yield open_page
    assert seen == asked


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return save(tmp_path_factory.mktemp("page") / "report.html")


@pytest.fixture(scope="module")
def opened(browser, file):
    """The first file, opened once; it must ask for nothing but itself and complain of nothing."""
    page, seen = open_tab(browser)
    open_file(page, file)
    assert seen == [file.as_uri()]
    start = [slider(page, view) for view in VIEWS]
    return page, seen, start


@pytest.fixture
def page(opened):
    """The first file, as it is when opened; it must ask for nothing and complain of nothing."""
    page, seen, start = opened
    page.bring_to_front()
    seen.clear()
    page.evaluate(
        """() => {
          const set = (id, property, value) => {
            const control = document.getElementById(id);
            control[property] = value;
            control.dispatchEvent(new Event("change"));
          };
          set("show-liver", "checked", true);
          set("show-tumor", "checked", true);
          set("show-cross", "checked", false);
          set("window", "selectedIndex", 0);
          scrollTo(0, 0);
        }"""
    )
    for view, value in zip(VIEWS, start, strict=True):
        move(page, view, value)
    yield page
    assert seen == []


def pixels(page, view):
    """What a canvas shows, uint8 [h, w, 3]."""
    url = page.evaluate(
        """async (view) => {
          await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
          return document.getElementById(view).toDataURL();
        }""",
        view,
    )
    data = base64.b64decode(url.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def slider(page, view):
    return int(page.input_value(f"#{view}-slider"))


def move(page, view, value):
    page.evaluate(
        """([view, value]) => {
          const slider = document.getElementById(`${view}-slider`);
          slider.value = value;
          slider.dispatchEvent(new Event("input"));
        }""",
        [view, value],
    )


def voxels(count, axis, upwards=False):
    """Voxel of the CT at each of `count` pixels along an axis."""
    start, stop = BODY[axis]
    found = start + ((np.arange(count) + 0.5) / count * (stop - start)).astype(int)
    return found[::-1] if upwards else found


def on_canvas(array, view, index, shape):
    """Slice `index` of an array on the grid of the CT, at each pixel of a canvas."""
    axis, across, down = VIEWS[view]
    plane = np.take(array, index, axis)  # the remaining axes are in order: down, across
    rows = voxels(shape[0], down, upwards=view != "axial")
    return plane[np.ix_(rows, voxels(shape[1], across))]


def test_page_says_what_the_report_says(page):
    text = page.inner_text("body")
    for expected in (NOTICE, "0123456789abcdef", "0.1.0 at commit abababababab", "nobody"):
        assert expected in text
    rows = [row.inner_text().split("\t") for row in page.query_selector_all("tr[data-center]")]
    assert rows[0] == ["1", "1.20", "13.5", "13.5", *rows[0][4:6], "0.5, 30.5, 122.5"]
    assert rows[1][:2] == ["2", "0.32"]
    assert rows[1][5] == "14"
    assert "55 mL" in text


@pytest.mark.parametrize("view", VIEWS)
def test_slider_changes_its_picture_alone(page, view):
    before = {name: pixels(page, name) for name in VIEWS}
    move(page, view, 13)
    for name in VIEWS:
        assert np.array_equal(before[name], pixels(page, name)) == (name != view)
    start, stop = BODY[VIEWS[view][0]]
    assert f" 13 ({start} to {stop - 1})" in page.inner_text(f"#{view}-slice")
    ends = [page.get_attribute(f"#{view}-slider", name) for name in ("min", "max")]
    assert ends == [str(start), str(stop - 1)]


def test_keys_and_wheel_move_by_a_slice(page):
    page.focus("#axial-slider")
    before = slider(page, "axial")
    page.keyboard.press("ArrowRight")
    assert slider(page, "axial") == before + 1
    page.hover("#axial")
    page.mouse.wheel(0, 100)
    page.mouse.wheel(0, 100)
    pixels(page, "axial")
    assert slider(page, "axial") == before - 1


@pytest.mark.parametrize("view", VIEWS)
def test_switches_change_the_picture_only_where_the_mask_is(page, view):
    index = slider(page, view)
    shown = {}
    for liver in (False, True):
        for tumor in (False, True):
            page.set_checked("#show-liver", liver)
            page.set_checked("#show-tumor", tumor)
            shown[liver, tumor] = pixels(page, view).astype(int)
    plain = shown[False, False]
    found = on_canvas(make_labels(), view, index, plain.shape)
    assert set(np.unique(found)) == {0, 1, 2}
    for (liver, tumor), mask in (
        ((True, False), found >= 1),
        ((False, True), found == 2),
        ((True, True), found >= 1),
    ):
        np.testing.assert_array_equal((shown[liver, tumor] != plain).any(axis=2), mask)
    difference = shown[True, True] - plain
    assert np.all((difference[..., 2] > difference[..., 0])[found == 1])  # bluish
    assert np.all((difference[..., 2] < difference[..., 0])[found == 2])  # orange


def test_window_changes_the_picture(page):
    before = pixels(page, "axial")
    page.select_option("#window", index=1)
    after = pixels(page, "axial")
    assert after.std() > before.std()


def test_crosshair_can_be_shown(page):
    before = pixels(page, "axial")
    page.check("#show-cross")
    assert not np.array_equal(before, pixels(page, "axial"))


@pytest.mark.parametrize(
    ("view", "index", "right", "lower"),
    [("axial", 18, True, False), ("coronal", 12, True, False), ("sagittal", 64, False, False)],
)
def test_pictures_are_seen_as_radiologists_do(page, view, index, right, lower):
    """The marker at the patient's left, front and head."""
    move(page, view, index)
    grey = pixels(page, view).astype(int)
    bright = np.argwhere((grey > 225).all(axis=2)).mean(axis=0) / grey.shape[:2]
    assert (bright[1] > 0.5) == right
    assert (bright[0] > 0.5) == lower


def test_letters_name_the_sides(page):
    letters = [page.inner_text(f".{view} .picture").split() for view in VIEWS]
    assert letters == [["R", "L", "A", "P"], ["R", "L", "S", "I"], ["A", "P", "S", "I"]]


def test_pictures_have_true_proportions(page):
    for view, (_, across, down) in VIEWS.items():
        width, height = (
            (BODY[axis][1] - BODY[axis][0]) * GRID.spacing[axis] for axis in (across, down)
        )
        box = page.locator(f"#{view}").bounding_box()
        assert box["width"] / box["height"] == pytest.approx(width / height, rel=0.01)


def test_click_on_a_lesion_goes_there(page):
    assert [slider(page, view) for view in VIEWS] == [6, 20, 20]
    before = pixels(page, "axial")
    page.click("tr[data-center] >> nth=1")
    assert not np.array_equal(before, pixels(page, "axial"))
    assert [slider(page, view) for view in VIEWS] == [14, 32, 36]
    assert page.inner_text("tr.chosen button") == "2"
    position = page.inner_text("#position")
    assert position == "L 16.0, P 42.0, S 142.0 mm (slice 14, row 32, column 36)"


def test_click_into_a_picture_places_the_crosshair(page):
    box = page.locator("#coronal").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.895, box["y"] + box["height"] * 0.1)
    pixels(page, "axial")
    assert [slider(page, view) for view in VIEWS] == [21, 20, 67]


def test_stored_order_and_obliquity_make_no_difference(load, page, tmp_path):
    expected = [pixels(page, view) for view in VIEWS]
    turn = np.array([[2, -1], [0, 1], [1, -1]])
    angle = np.deg2rad(12)
    tilt = [[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]]
    affine = GRID.affine.copy()
    affine[:3, :3] = tilt @ affine[:3, :3]
    stored = Geometry(affine @ orientations.inv_ornt_aff(turn, SHAPE))
    hu, labels = (
        orientations.apply_orientation(array, turn) for array in (make_hu(), make_labels())
    )
    other = load(save(tmp_path / "report.html", hu, labels, stored))
    for view, picture in zip(VIEWS, expected, strict=True):
        np.testing.assert_array_equal(pixels(other, view), picture)
    assert "oblique, by 12 degrees" in other.inner_text("footer")


def apart(page, one, other):
    """Whether two elements do not overlap from top to bottom."""
    upper, lower = (page.locator(name).bounding_box() for name in (one, other))
    return upper["y"] + upper["height"] <= lower["y"]


def test_letters_of_flat_views_are_apart(load, tmp_path):
    flat = Geometry.from_axes((-20.0, 10.0, 100.0), (0.1, 1.0, 1.0))
    page = load(save(tmp_path / "report.html", geometry=flat))
    for view in ("coronal", "sagittal"):
        assert apart(page, f".{view} figcaption", f".{view} .top")
        assert apart(page, f".{view} .top", f".{view} .bottom")
        assert apart(page, f".{view} .bottom", f"#{view}-slider")
        box = page.locator(f"#{view}").bounding_box()
        assert box["width"] / box["height"] == pytest.approx(
            (70 if view == "coronal" else 50) / 2.4, rel=0.1
        )


def test_many_lesions_scroll_in_their_own_box(load, tmp_path):
    labels = np.zeros(SHAPE, np.uint8)
    labels[4:20, 8:50, 8:60] = 1
    labels[6:18:6, 10:40:5, 10:55:9] = 2
    page = load(save(tmp_path / "report.html", labels=labels))
    rows = page.locator("tr[data-center]")
    assert rows.count() == 60
    page.set_viewport_size({"width": 390, "height": 844})
    table = page.locator(".scroll.long")
    sizes = table.evaluate(
        "(box) => [box.clientWidth, box.scrollWidth, box.clientHeight, box.scrollHeight]"
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert sizes[0] < sizes[1]
    assert sizes[2] < min(sizes[3], 844)
    rows.last.click()
    assert page.inner_text("tr.chosen button") == "60"
    header = page.locator(".long th").first.bounding_box()
    assert header["y"] == pytest.approx(table.bounding_box()["y"], abs=1)
    page.set_viewport_size({"width": 1200, "height": 900})


def test_unknown_spacing(load, tmp_path):
    page = load(save(tmp_path / "report.html", geometry=UNKNOWN))
    assert page.inner_text("body").count(UNKNOWN_SPACING) == 1
    assert page.inner_text("#position") == "slice 6, row 20, column 20"
    row = page.inner_text("tr[data-center] >> nth=0").split("\t")
    assert row[1:4] == ["-", "-", "-"]
    assert row[6] == "-"


def test_no_liver(load, tmp_path):
    page = load(save(tmp_path / "report.html", labels=np.zeros(SHAPE, np.uint8)))
    text = page.inner_text("body")
    assert NO_LIVER in text
    assert "No tumour was found." in text
    assert [slider(page, view) for view in VIEWS] == [12, 30, 40]


def test_tables_need_no_script(browser, file):
    page = browser.new_page(java_script_enabled=False)
    page.goto(file.as_uri())
    assert "need JavaScript" in page.inner_text("body")
    assert page.is_visible("tr[data-center] >> nth=0")
    assert not page.is_visible("#viewer")
    page.close()


def test_page_forbids_itself_the_network(tab, file):
    page, seen = tab
    seen.clear()
    page.goto(file.as_uri())
    answer = page.evaluate("() => fetch('http://127.0.0.1:9/').catch((error) => error.name)")
    assert answer == "TypeError"
    assert [text for text in seen if "Content Security Policy" not in text] == [file.as_uri()]


def test_failure_to_unpack_is_told(tab, file, tmp_path):
    damaged = tmp_path / "report.html"
    text = file.read_text(encoding="utf-8")
    damaged.write_text(re.sub(r'(id="ct">)[^<]+', r"\1AAAA", text), encoding="utf-8")
    page, _ = tab
    page.goto(damaged.as_uri())
    page.wait_for_selector("#failure:visible")
    assert "cannot be shown" in page.inner_text("#failure")
    assert page.is_visible("tr[data-center] >> nth=0")


@pytest.mark.parametrize(
    ("burden", "expected"),
    [
        *((None, "-"), (0.0, "0.0 %"), (0.00047, "0.047 %"), (0.0000123, "0.0012 %")),
        *((0.0056, "0.56 %"), (0.056, "5.6 %"), (0.123, "12.3 %"), (1.0, "100.0 %")),
    ],
)
def test_burden_has_two_significant_digits(tmp_path, burden, expected):
    text = save(tmp_path / "report.html", tumor_burden=burden).read_text(encoding="utf-8")
    assert f"<td>tumour burden</td><td>{expected}</td>" in text


def test_texts_are_escaped(tmp_path):
    bad = '<script>alert(1)</script> & "quoted"'
    changes = {"messages": [bad], "repairs": [bad], "notice": bad}
    text = save(tmp_path / "report.html", **changes).read_text(encoding="utf-8")
    assert "<script>alert" not in text
    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt; &amp;") == 3


def test_equal_input_gives_equal_bytes_and_nothing_beside(tmp_path, file):
    path = save(tmp_path / "report.html")
    assert path.read_bytes() == file.read_bytes()
    assert list(tmp_path.iterdir()) == [path]


def test_networks_of_the_thesis_have_fixed_settings(tmp_path):
    source = {**SOURCE, "liver": {**NETWORK, "recipe": "thesis", "step": None}}
    text = save(tmp_path / "report.html", source=source).read_text(encoding="utf-8")
    rows = dict(re.findall(r"<tr><td>([\w ]+)</td>(.*?)</tr>", text))
    assert rows["threshold"] == "<td>fixed</td><td>0.5</td>"
    assert rows["smallest tumour"] == "<td>-</td><td>10 voxels, 0 mL</td>"
    assert rows["step"] == "<td>-</td><td>300</td>"


def test_nothing_is_written_of_another_grid(tmp_path):
    volume = Volume(make_hu(), GRID)
    report = build_report(volume, Segmentation(make_labels(), GRID), source=SOURCE)
    with pytest.raises(InputError, match="CT and segmentation"):
        save_report_page(
            tmp_path / "report.html", report, volume, Segmentation(make_labels(), UNKNOWN)
        )
    assert list(tmp_path.iterdir()) == []
