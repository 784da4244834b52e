package main

import (
	"robot.wtf/internal/tenant"
	"robot.wtf/internal/wiki"
)

// seedWikis returns the example wikis. Pages start as their files in seed/.
func seedWikis() []seedWiki { return []seedWiki{adaWiki(), bobWiki()} }

// adaWiki is public: Ada owns it, Bob edits, Cleo is a viewer, and Dan isn't a member.
func adaWiki() seedWiki {
	return seedWiki{
		owner: "ada",
		settings: tenant.Settings{
			Title:       "Ada's notebook",
			Description: "A weather station, the house that listens to it, and the garden around both.",
			Public:      true,
		},
		members: map[string]wiki.Role{"bob": wiki.Editor, "cleo": wiki.Viewer},
		history: []step{
			{at: "2026-02-21T09:02", by: "ada", do: start},
			{at: "2026-02-21T09:20", by: "ada", do: put("Home", "Say what this wiki is about")},
			{at: "2026-02-21T09:41", by: "ada", do: extend("AGENTS", "What agents should know here")},
			{at: "2026-02-21T10:15", by: "ada", do: put("Garden", "Begin with the garden")},
			{at: "2026-02-21T10:32", by: "ada", do: put("Garden/Beds", "Three years of beds, from the paper notebook")},
			{at: "2026-02-22T14:05", by: "ada", do: put("Workshop", "")},
			{at: "2026-02-22T14:12", by: "ada", do: put("Workshop/Soldering_Iron", "Temperatures that work")},
			{at: "2026-02-28T18:30", by: "ada", do: put("sources/Observers_Handbook", "Notes from the handbook")},
			{at: "2026-03-01T11:10", by: "ada", do: put("Weather_Station", "Start the page")},
			{at: "2026-03-01T11:48", by: "ada", do: put("Weather_Station/Mast_and_Housing", "What it is made of")},
			{at: "2026-03-07T20:15", by: "bob", do: put("Workshop/Range_Test", "Figures of this afternoon")},
			{at: "2026-03-08T10:20", by: "ada", do: put("Weather_Station/Firmware", "Settings and overview")},
			{at: "2026-03-08T10:55", by: "ada", do: put("Weather_Station/Firmware/Flashing", "How to flash")},
			{at: "2026-03-08T17:02", by: "ada", do: put("Weather_Station/Firmware/LoRa_Frames", "The frame, byte by byte")},
			{at: "2026-03-09T07:50", by: "bob", do: patch("Weather_Station/Firmware/Flashing",
				"make clean all\n", "make clean all            # \"all\" alone keeps the old version number\n", "make all is not enough")},
			{at: "2026-03-14T18:20", by: "ada", do: put("Journal/2026-03-14", "The mast stands")},
			{at: "2026-03-14T18:31", by: "ada", do: patch("Weather_Station",
				"status: building", "status: running since 2026-03-14", "It runs")},
			{at: "2026-03-14T18:36", by: "ada", do: patch("Home",
				"The diary is in the folder *Journal*;", "The diary is in the folder *Journal*, and the day to begin with is [[Journal/2026-03-14|14 March]];", "The first day of the mast")},
			{at: "2026-03-15T09:12", by: "ada", do: put("Weather_Station/Sensors", "List of sensors")},
			{at: "2026-03-15T09:40", by: "ada", do: put("Weather_Station/Sensors/Rain_Gauge", "Where the gauge stands, and why")},
			{at: "2026-03-15T10:22", by: "ada", do: put("Weather_Station/Sensors/Wind", "Cups, vane and the fit")},
			{at: "2026-03-21T16:00", by: "ada", do: attach("Weather_Station/mast.png", "Drawing of the mast")},
			{at: "2026-03-21T16:01", by: "ada", do: attach("Weather_Station/station.svg", "The drawing, to be changed")},
			{at: "2026-03-21T16:08", by: "ada", do: patch("Weather_Station",
				"the loss is below ten per cent.\n",
				"the loss is below ten per cent.\n\n![Drawing of the mast: anemometer and vane on the cross arm, radiation shield at half height, solar panel and box opposite, rain gauge on the ground.](./mast.png \"The mast, seen from the kitchen. Guy ropes are dashed.\")\n",
				"Show the drawing")},
			{at: "2026-03-28T19:33", by: "ada", do: put("Weather_Station/Power_Budget", "Measured, not guessed")},
			{at: "2026-04-05T08:10", by: "ada", do: put("Weather_Station/Calibration", "Method and the first three months")},
			{at: "2026-04-11T21:05", by: "bob", do: put("Home_Automation", "What the cupboard does")},
			{at: "2026-04-11T21:30", by: "bob", do: put("Home_Automation/Greenhouse", "Vents and fan")},
			{at: "2026-04-12T09:00", by: "ada", do: put("Home_Automation/Thresholds", "All numbers in one place")},
			{at: "2026-04-26T20:44", by: "ada", do: put("Garden/Frost_Pockets", "Nine clear nights with four loggers")},
			{at: "2026-05-04T07:15", by: "ada", do: put("Journal/2026-05-04", "Frost at the fence")},
			{at: "2026-05-04T07:22", by: "ada", do: patch("Garden/Frost_Pockets",
				"is already freezing: that", "is already freezing, as on [[Journal/2026-05-04|4 May]]: that", "It rang")},
			{at: "2026-05-09T10:02", by: "ada", do: put("Garden/Seed_Calendar", "By soil temperature")},
			{at: "2026-05-17T15:21", by: "bob", do: patch("Home_Automation/Greenhouse",
				"The fan runs when", "> [!WARNING]\n> Close the lower door by hand before you leave: the vents do nothing against the cat.\n\nThe fan runs when", "The cat")},
			{at: "2026-06-07T09:30", by: "ada", do: put("Garden/Compost", "61 °C")},
			{at: "2026-06-14T11:12", by: "ada", do: rename("Workshop/Range_Test", "Workshop/LoRa_Range_Test", "Say what was tested")},
			{at: "2026-06-21T17:40", by: "ada", agent: "Claude Code", do: put("sources/SHT45_Datasheet_Notes", "Notes from the datasheet, with the figures that the node needs")},
			{at: "2026-06-21T17:44", by: "ada", agent: "Claude Code", do: put("Weather_Station/Sensors/SHT45", "Page for the new sensor, from the datasheet notes")},
			{at: "2026-07-05T08:30", by: "ada", do: put("Journal/2026-07-05", "New shield")},
			{at: "2026-07-05T09:05", by: "ada", do: patch("Weather_Station/Calibration",
				"| May | 11.20 | 11.64 | −0.44 |\n", "| May | 11.20 | 11.64 | −0.44 |\n| July, new shield | 14.02 | 14.20 | −0.18 |\n", "First figure with the new shield")},
			{at: "2026-07-05T09:20", by: "ada", do: patch("Weather_Station",
				"| SHT31 | temperature, humidity | ±0.2 °C, ±2 % | 1.7 µA |", "| [[Weather Station/Sensors/SHT45\\|SHT45]] | temperature, humidity | ±0.1 °C, ±1 % | 0.4 µA |", "The SHT45 is in")},
			{at: "2026-07-05T09:26", by: "ada", agent: "Claude Code", do: patch("Weather_Station/Firmware",
				"{ driver: sht31, address: 0x44, offset: -0.42 }", "{ driver: sht45, address: 0x44, offset: -0.18 }", "Settings follow the new sensor and its calibration")},
			{at: "2026-07-05T09:27", by: "ada", agent: "Claude Code", do: patch("Weather_Station/Sensors",
				"| Sensor | Where | Since |\n|---|---|---|\n", "| Sensor | Where | Since |\n|---|---|---|\n| [[Weather Station/Sensors/SHT45\\|SHT45]] | in the shield | July |\n", "Add the SHT45")},
			{at: "2026-08-02T07:58", by: "ada", do: attach("Weather_Station/Calibration/offset.png", "")},
			{at: "2026-08-02T08:03", by: "ada", do: patch("Weather_Station/Calibration",
				"\nThe reference has", "\n![The difference month by month: about −0.42 °C until June, about −0.18 °C since July.](./offset.png \"Station minus reference. The red line is the new shield.\")\n\nThe reference has", "Draw it")},
			{at: "2026-08-30T20:11", by: "bob", do: put("Journal/Weather", "Monthly figures until August")},
			{at: "2026-09-12T10:46", by: "ada", do: patch("Weather_Station",
				"Everything runs from one 6 W panel and a single 18650 cell.\n",
				"Everything runs from one 6 W panel and a single 18650 cell. The [[Weather Station/Power Budget|power budget]] leaves room for four days without sun; the longest gap so far was two and a half.[^gap]\n",
				"Four days are enough")},
			{at: "2026-09-12T10:49", by: "ada", do: patch("Weather_Station",
				"\n## To do\n", "\nThat the gauge stands where it does is the [[Weather Station/Sensors/Rain Gauge|handbook's doing]], and the pear tree's.\n\n## To do\n", "")},
			{at: "2026-09-12T10:52", by: "ada", do: patch("Weather_Station",
				"- [ ] Ask the neighbours whether the cups keep them awake\n",
				"- [ ] Second shield, to compare white paint with bare plastic\n- [ ] Ask the neighbours whether the cups keep them awake\n\n[^gap]: 12 to 14 January of the trial year, freezing fog.\n", "Where the figure comes from")},
			{at: "2026-10-10T16:35", by: "ada", agent: "Claude Code", do: patch("Weather_Station/Firmware",
				"retries: 5 }\n```\n", "retries: 3 }\n```\n\n> [!WARNING]\n> **Do not raise `retries` above 3.** At five the node browns out on cold mornings, restarts, and tries again: see [[Weather Station/Brownout Loop]].\n", "Retries above 3 brown out the node")},
			{at: "2026-10-10T16:38", by: "ada", agent: "Claude Code", do: patch("Weather_Station",
				"\n## Siting\n", "\n## Firmware\n\nThe node sleeps, wakes, reads each sensor twice and sends the median. The numbers that matter are in `station.yaml`, the rest is in [[Weather Station/Firmware]]; after a change, [[Weather Station/Firmware/Flashing|flash it]] with the cable.\n\n```yaml\nstation:\n  id: mast-1\n  interval: 10m          # wind gusts are kept between readings\n  radio: { kind: lora, spread: 9, retries: 3 }\n```\n\n> [!WARNING]\n> **Do not raise `retries` above 3**: see [[Weather Station/Brownout Loop]].\n\n## Siting\n", "A section on the firmware, with the warning where people look first")},
			{at: "2026-10-10T16:41", by: "ada", do: patch("Weather_Station", "firmware: \"1.0.0\"", "firmware: \"2.3.1\"", "Firmware 2.3.1")},
			{at: "2026-10-11T09:14", by: "ada", agent: "Cursor", do: put("Weather_Station/Firmware/Sleep", "Describe the sleep states from the source")},
			{at: "2026-10-19T19:20", by: "ada", do: patch("Weather_Station/Firmware/Sleep",
				"The rest of the arithmetic is", "Measured with the meter in series for an hour: 14.2 µA. The rest of the arithmetic is", "Checked with the meter")},
			{at: "2026-11-08T12:03", by: "ada", do: patch("Weather_Station", "- [ ] Replace the bearing", "- [x] Replace the bearing", "The vane turns again")},
			{at: "2026-11-15T18:27", by: "bob", do: patch("Garden",
				"- [[Garden/Compost]]\n", "- [[Garden/Compost]], to which I contribute the coffee\n", "Credit where it is due")},
			{at: "2026-11-22T21:02", by: "ada", do: put("Journal/2026-11-22", "Fog")},
			{at: "2026-11-23T19:48", by: "ada", agent: "Claude Code", do: patch("Weather_Station",
				"where they decide whether the [[Home Automation/Greenhouse|greenhouse]] vents open.\n",
				"where they decide whether the [[Home Automation/Greenhouse|greenhouse]] vents open. If you only want the numbers, see [[Journal/Weather]].\n", "Lead readers who want numbers to the table")},
		},
	}
}

// bobWiki is private and Bob's alone.
func bobWiki() seedWiki {
	return seedWiki{
		owner: "bob",
		history: []step{
			{at: "2026-05-30T20:00", by: "bob", do: start},
			{at: "2026-05-30T20:14", by: "bob", do: put("Home", "")},
			{at: "2026-05-30T20:40", by: "bob", do: put("Shed", "The plan")},
			{at: "2026-06-06T18:05", by: "bob", do: put("Recipes", "Leek pie")},
			{at: "2026-08-15T22:31", by: "bob", do: put("Reading_List", "")},
			{at: "2026-09-02T19:10", by: "bob", do: patch("Shed", "- [ ] Ask the neighbours", "- [x] Ask the neighbours", "They said yes")},
			{at: "2026-11-22T21:30", by: "bob", do: put("Ideas/Second_Station", "After the fog")},
		},
	}
}
