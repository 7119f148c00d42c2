"""What every web page is built on: base template, stylesheet, both languages. Desk and console use it."""
