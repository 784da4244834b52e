package session

import "strings"

// browserOf says in a few words which browser a User-Agent header is of, so that
// people know their sessions apart: "Firefox on Linux", "" for none we know.
// Browsers name those that they are like; the most particular name counts.
func browserOf(agent string) string {
	find := func(names ...string) string { // pairs: what stands there, what people call it
		for i := 0; i < len(names); i += 2 {
			if strings.Contains(agent, names[i]) {
				return names[i+1]
			}
		}
		return ""
	}
	browser := find("Edg", "Edge", "OPR/", "Opera", "Vivaldi/", "Vivaldi", "SamsungBrowser/", "Samsung Internet",
		"FxiOS/", "Firefox", "Firefox/", "Firefox", "CriOS/", "Chrome", "Chromium/", "Chromium", "Chrome/", "Chrome", "Safari/", "Safari")
	system := find("iPhone", "iPhone", "iPad", "iPad", "Android", "Android", "Windows", "Windows", "CrOS", "ChromeOS", "Mac OS X", "Mac", "Linux", "Linux")
	switch {
	case browser == "":
		return system
	case system == "":
		return browser
	}
	return browser + " on " + system
}
