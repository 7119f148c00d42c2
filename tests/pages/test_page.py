from fastapi.testclient import TestClient

EVIL = '"><script>alert(1)</script>'


def test_the_language_is_what_the_address_says_and_a_cookie_keeps_it(client: TestClient) -> None:
    assert 'lang="en"' in client.get("/incidents").text
    assert '<html lang="vi"' in client.get("/incidents?lang=vi").text
    again = client.get("/incidents")
    assert '<html lang="vi"' in again.text and "Sự cố" in again.text
    assert '<html lang="en"' in client.get("/incidents?lang=en").text


def test_without_a_choice_the_browser_says_the_language(client: TestClient) -> None:
    assert '<html lang="vi"' in client.get("/incidents", headers={"Accept-Language": "vi-VN,vi;q=0.9"}).text
    assert '<html lang="en"' in client.get("/incidents", headers={"Accept-Language": "fr"}).text


def test_colours_follow_the_browser_until_somebody_chooses(client: TestClient) -> None:
    assert "data-theme" not in client.get("/incidents").text
    assert 'data-theme="dark"' in client.get("/incidents?theme=dark").text
    assert 'data-theme="dark"' in client.get("/incidents").text
    assert "data-theme" not in client.get("/incidents?theme=system").text


def test_a_choice_keeps_the_rest_of_the_address(client: TestClient) -> None:
    assert 'href="?status=open&amp;lang=vi"' in client.get("/incidents?status=open").text


def test_an_address_that_is_no_choice_is_dead_text(client: TestClient) -> None:
    answer = client.get("/incidents", params={"lang": EVIL, "theme": EVIL, EVIL: EVIL})
    assert "<script>alert" not in answer.text and '<html lang="en">' in answer.text
    assert "set-cookie" not in answer.headers or EVIL not in answer.headers["set-cookie"]


def test_the_page_one_is_on_is_marked_in_the_navigation(client: TestClient) -> None:
    assert '<a href="/runbook" aria-current="page">' in client.get("/runbook/replication-lag").text


def test_a_page_may_load_nothing_from_elsewhere(client: TestClient) -> None:
    policy = client.get("/incidents").headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
