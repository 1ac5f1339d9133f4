# SPDX-License-Identifier: GPL-2.0-only
#
# Judges TAP by what it says, not by exit status alone.
#
# Input: "@begin NAME", a program's output, "@end NAME STATUS", and so on, with
# "@done" where the list is complete. Every missing result, missing plan, crash and
# non-zero status without a "not ok" is a failure. Skips are shown with their reason.
# Last line: "N passed, N failed, N skipped". Status 1 if anything failed.
#
# -v counts=FILE appends "passed failed skipped" there; -v verbose=1 shows all
# output; -v partial=1 does not ask for @done.

function fail(why) {
	failed++
	bad++
	print "FAIL " suite ": " why
}

function finish(status,    i) {
	if (bail != "")
		fail("bailed out: " bail)
	if (plan < 0)
		fail("no plan: it ended early or is no TAP")
	else if (!(plan == 0 && whole_skip != "")) {
		for (i = 1; i <= plan; i++)
			if (!(i in seen))
				fail("no result for test " i)
		for (i in seen)
			if (i + 0 > plan || i + 0 < 1)
				fail("test " i " is not in the plan 1.." plan)
	}
	if (status == "")
		fail("it never ended")
	else if (status >= 128)
		fail(status == 137 ? "killed: ran into its time limit" : "crashed with signal " (status - 128))
	else if (status != 0 && status != 4 && !bad)
		fail("exit status " status " without a failed test")
	if (whole_skip != "" && plan == 0) {
		skipped++
		print "SKIP " suite ": " whole_skip
	}
	if (bad) {
		print "---- output of " suite ":"
		printf "%s", output
		print "----"
	} else {
		printf "%-4s %-32s %d tests%s\n", results ? "ok" : "-", suite, results, \
			skips ? ", " skips " skipped" : ""
	}
	suite = ""
}

BEGIN {
	passed = failed = skipped = 0
	suite = ""
}

{ sub(/\r$/, "") }
verbose { print }

/^@begin / {
	if (suite != "")
		finish("")
	suite = $2
	plan = -1
	bad = results = skips = order = 0
	bail = whole_skip = output = ""
	split("", seen)
	suites++
	next
}
/^@end / && suite != "" { finish($3); next }
/^@done/ { done = 1; next }
suite == "" { next }

# What went well is not shown again.
!/^ok |^# +(RUN|OK)  / { output = output $0 "\n" }

/^1\.\.[0-9]+/ {
	if (plan >= 0)
		fail("a second plan")
	plan = $0
	sub(/^1\.\./, "", plan)
	plan = plan + 0
	if (plan == 0) {
		whole_skip = $0
		if (!sub(/^[^#]*# *[Ss][Kk][Ii][Pp][A-Za-z]*:? */, "", whole_skip))
			whole_skip = ""
		if (whole_skip == "")
			whole_skip = "no reason given"
	}
	next
}
/^Bail out!/ { bail = substr($0, 10) " "; next }
/^(not )?ok([ \t]|$)/ {
	line = $0
	good = !sub(/^not /, "", line)
	sub(/^ok[ \t]*/, "", line)
	num = ++order
	if (match(line, /^[0-9]+/)) {
		num = substr(line, 1, RLENGTH) + 0
		line = substr(line, RLENGTH + 1)
	}
	sub(/^[ \t-]+/, "", line)
	if (num in seen)
		fail("test " num " has two results")
	seen[num] = 1
	results++
	if (!good) {
		fail(num " " line)
	} else if (match(line, /# *[Ss][Kk][Ii][Pp]/)) {
		skipped++
		skips++
		print "SKIP " suite ": " num " " line
	} else {
		passed++
	}
}

END {
	if (suite != "")
		finish("")
	suite = "run"
	if (!done && !partial)
		fail("the run did not come to its end")
	if (!suites && !partial)
		fail("nothing was run")
	if (counts != "")
		print passed, failed, skipped >>counts
	printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
	exit failed ? 1 : 0
}
