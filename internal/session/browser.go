package session

import "strings"

// BrowserName describes a User-Agent header in a few words, so that people
// can tell their sessions apart: "Firefox on Linux", or "" if unknown.
// Browsers also name those they imitate, so the most specific name comes
// first.
func BrowserName(agent string) string {
	find := func(names ...string) string { // pairs: substring, name
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
