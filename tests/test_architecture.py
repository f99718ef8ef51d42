"""The page about the rooms tells of the code as it is."""

from tests.architecture import PAGE, floors, job, known, page


def test_the_page_of_the_rooms_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "run: python -m tests.architecture"


def test_every_room_says_what_it_is_for() -> None:
    rooms = [room for floor in floors() for room in floor]
    assert all(job(room) for room in rooms)
    assert known("base") == set()
    assert "store" in known("routes") | known("http")
