# SPDX-License-Identifier: Apache-2.0
# The running server against tables of API facts, where there are such tables.

TESTS += tests/facts/facts.bats
EXTRA_DIST += %D%/facts.bats %D%/facts.py %D%/groups.py %D%/samples.py
