"""What every web page stands on: base template, stylesheet, both languages. Desk and console use it."""
