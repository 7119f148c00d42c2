// Looks at a page as a reader does: what is unfinished, what should not be shown, where Tab leads.
window.looking = (() => {
  const CONTROLS = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']";
  // what is meant to show source text
  const SOURCE = "pre, code, script, style, textarea";
  // raw_text.py reads these lines. "None" may begin a sentence of the pages; elsewhere it is Python's.
  const RAW = [
    [/[{[]\s*"[^"]*"\s*[:,\]}]/, "JSON"], [/"\w+":\s*["\d{[]/, "JSON"], [/\[object Object\]/, "an object"], [/\bundefined\b|\bNaN\b|\S\s*\bNone\b|\bNone\b(?![.:]| (?:yet|is|fires)\b)/, "a value that is none"],
    [/^\s{0,3}#{1,6} \S/m, "a heading"], [/\*\*\S/, "bold"], [/```/, "a fence"], [/^\s*\|.*\|\s*$/m, "a table"], [/\]\([^)\s]+\)/, "a link"], [/\[\^\w+\]/, "a footnote"], [/^\s*(-\s*)?\[[ x]\]/, "a task"],
  ];
  let met = [];

  function seen(element) {
    return !element.closest("[inert]") && !element.disabled && element.checkVisibility({ visibilityProperty: true }) && element.getClientRects().length > 0;
  }

  function name(element) {
    const said = element.getAttribute("aria-label") || element.textContent || element.getAttribute("name") || "";
    const where = element.getAttribute("href") || element.getAttribute("action") || element.id || element.getAttribute("name") || "";
    return `${element.tagName.toLowerCase()} ${where} "${said.trim().replace(/\s+/g, " ").slice(0, 60)}"`;
  }

  function looks(element) {
    const parts = [element, ...element.querySelectorAll(":scope > rect")];
    return JSON.stringify(parts.map((part) => {
      const style = getComputedStyle(part);
      const outline = style.outlineStyle === "none" || parseFloat(style.outlineWidth) === 0 ? "none" : `${style.outlineStyle} ${style.outlineWidth} ${style.outlineColor}`;
      return [outline, style.boxShadow, style.borderColor, style.stroke, style.strokeWidth, style.left];
    }));
  }

  function inSight(element) {
    const box = element.getBoundingClientRect();
    return box.width > 0 && box.height > 0 && box.bottom > 0 && box.right > 0 && box.top < innerHeight && box.left < innerWidth;
  }

  addEventListener("focusin", ({ target }) => {
    if (target === document.body) return;
    met.push({ element: target, name: name(target), with: looks(target), inSight: inSight(target) });
  });

  return {
    // What is not there yet; "" where all is.
    unsettled() {
      if (document.readyState !== "complete") return document.readyState;
      const waiting = [...document.querySelectorAll("[hx-trigger^=load]")].filter((one) => one.textContent.trim() === "…");
      if (waiting.length) return `${waiting.length} panels wait`;
      const charts = [...document.querySelectorAll("[data-chart]")].filter((one) => inSight(one) && !one.querySelector("canvas"));
      return charts.length ? `${charts.length} charts in sight are not drawn` : "";
    },
    // Open what a reader may open.
    unfold() {
      for (const one of document.querySelectorAll("details")) one.open = true;
    },
    // Text that shows how it was written or kept, and not what it says.
    raw() {
      const found = [];
      const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      for (let node = walk.nextNode(); node; node = walk.nextNode()) {
        if (node.parentElement.closest(SOURCE)) continue;
        for (const [shape, kind] of RAW) if (shape.test(node.data)) found.push(`${kind}: ${node.data.trim().slice(0, 120)}`);
      }
      return found;
    },
    // How much wider the page is than a window of that width, and what sticks out.
    tooWide(width) {
      const over = Math.max(document.scrollingElement.scrollWidth, Math.round(innerWidth)) - width;
      if (over <= 0) return "";
      const out = [...document.querySelectorAll("body *")].filter((one) => one.getBoundingClientRect().right > width + 1);
      return `${over} px: ${out.slice(0, 5).map((one) => one.outerHTML.slice(0, 90)).join(" | ")}`;
    },
    begin() {
      document.activeElement?.blur();
      getSelection()?.removeAllRanges();
      scrollTo(0, 0);
      met = [];
      return [...document.querySelectorAll(CONTROLS)].filter((one) => seen(one) && one.tabIndex >= 0).map(name);
    },
    end() {
      document.activeElement?.blur();
      return met.map((one) => [one.name, one.with !== looks(one.element), one.inSight]);
    },
  };
})();
