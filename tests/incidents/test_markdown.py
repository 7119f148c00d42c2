from lakeproof.incidents.markdown import render_markdown


def test_a_task_is_a_box_with_its_label_and_its_text_stays_text() -> None:
    shown = render_markdown("- [ ] cause <b>confirmed</b>\n- [x] prevention agreed\n")
    assert "[ ]" not in shown and "[x]" not in shown
    assert shown.count("<label><input") == 2 and shown.count("checked=") == 1
    assert "&lt;b&gt;confirmed" in shown


def test_each_appendix_is_folded_and_nothing_else_is() -> None:
    text = "# RCA\n\n## Cause\n\nx [^1]\n\n## Appendix: read\n\ny [^2]\n\n### z\n\n## Appendix: told\n\n## End\n\nw\n"
    shown = render_markdown(f"{text}\n> ## Appendix: quoted\n\n[^1]: a\n[^2]: b\n")
    before, first, second = shown.split("<details><summary><h2>")
    assert "<h2>Cause</h2>" in before and "</details>" not in before
    assert first.startswith("Appendix: read</h2>\n</summary>") and first.endswith("<h3>z</h3>\n</details>\n")
    assert second.startswith("Appendix: told</h2>\n</summary>\n</details>\n<h2>End</h2>")
    assert "<h2>Appendix: quoted</h2>" in second and second.count("</details>") == 1
    last = render_markdown("## Appendix: read\n\ny [^1]\n\n[^1]: a\n")
    assert last.index("</details>") < last.index('<section class="footnotes">')
    assert render_markdown("## Appendix").endswith("</details>\n")
