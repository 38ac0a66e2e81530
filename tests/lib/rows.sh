#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Which rows of the checklist the tests prove. A test names its rows in a
# comment, `# rows: 12 34`, right above or inside of it.
#
#   rows.sh BUILD-DIRECTORY [LAST-ROW]
#
# A row counts as proven if all tests that name it passed in the logs under
# BUILD-DIRECTORY; as failed if one did not pass; else as not yet proven.
set -euo pipefail

build=${1:?the build tree}
last=${2:-280}
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# "FILE<tab>ROW<tab>TEST" for every row that a bats file names
named() {
	local file
	find "$top/tests" -name '*.bats' | sort | while read -r file; do
		awk -v file="$(basename "$file" .bats)" '
			/^[ \t]*# rows:/ {
				sub(/^[ \t]*# rows:/, "")
				n = split($0, rows, /[ \t,]+/)
				for (i = 1; i <= n; i++)
					if (rows[i] != "") {
						if (inside) print file "\t" rows[i] "\t" test
						else waiting[++count] = rows[i]
					}
				next
			}
			/^@test "/ {
				test = $0
				sub(/^@test "/, "", test)
				sub(/" *\{ *$/, "", test)
				gsub(/\\"/, "\"", test)
				for (i = 1; i <= count; i++) print file "\t" waiting[i] "\t" test
				count = 0
				inside = 1
			}
			/^}/ { inside = 0 }
		' "$file"
	done
}

# "PASS|FAIL|SKIP<tab>TEST" for every result in the logs; a test that several
# releases of a client ran has several.
results() {
	find "$build" -name '*.log' -path '*tests*' -exec sed -n -E \
		-e 's/^(ok) [0-9]+ (.*) # skip.*$/SKIP\t\2/p;t' \
		-e 's/^ok [0-9]+ (- )?(.*)$/PASS\t\2/p;t' \
		-e 's/^not ok [0-9]+ (- )?(.*)$/FAIL\t\2/p' {} +
}

awk -F'\t' -v last="$last" '
	NR == FNR { state[$2] = worse(state[$2], $1); next }
	{
		found = state[$3]
		if (found == "") found = "NONE"
		if (rows[$2] == "" || found == "FAIL" ||
		    (rows[$2] == "PASS" && found != "PASS"))
			rows[$2] = found
	}
	function worse(a, b) {
		if (a == "FAIL" || b == "FAIL") return "FAIL"
		if (a == "PASS" || b == "PASS") return "PASS"
		return b
	}
	function list(title, wanted,    i, n, line) {
		line = ""
		n = 0
		for (i = 1; i <= last; i++)
			if ((rows[i] == "" ? "NONE" : rows[i]) ~ wanted) {
				line = line " " i
				n++
			}
		if (n || title ~ /proven/) printf "%s (%d):%s\n", title, n, line
	}
	END {
		list("rows proven", "PASS")
		list("rows not yet", "NONE")
		list("rows whose tests were skipped", "SKIP")
		list("rows failed", "FAIL")
	}
' <(results) <(named) | fold -s -w 100
