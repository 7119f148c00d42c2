from lakeproof.incidents.markdown import render_markdown


def test_a_task_is_a_box_with_its_label_and_its_text_stays_text() -> None:
    shown = render_markdown("- [ ] cause <b>confirmed</b>\n- [x] prevention agreed\n")
    assert "[ ]" not in shown and "[x]" not in shown
    assert shown.count("<label><input") == 2 and shown.count("checked=") == 1
    assert "&lt;b&gt;confirmed" in shown
