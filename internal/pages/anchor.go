package pages

// anchor is the fragment of an address that leads to a heading.
func anchor(fragment string) string { return "" }
