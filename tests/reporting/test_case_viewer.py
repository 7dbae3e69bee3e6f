"""The page of a case, in a browser."""

import base64
import io
import re

import numpy as np
import pytest
from nibabel import orientations
from PIL import Image

from liverjax.reporting.case_report import NO_LIVER, NOTICE, UNKNOWN_SPACING
from liverjax.volume import Geometry
from tests.reporting.pages import (
    BODY,
    GRID,
    SHAPE,
    UNKNOWN,
    VIEWS,
    make_hu,
    make_labels,
    move,
    save,
    slider,
)


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
