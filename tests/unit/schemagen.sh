#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The generator refuses bad YAML with the file, the line and what is wrong.
set -u

generator=${builddir:?run by make check}/api/gen/schemagen
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/types" "$work/kinds"
count=0

printf 'revision: 1\ngates:\n  Some: off\n' >"$work/types/gates.yaml"
printf 'groups:\n  - {name: "", versions: [v1]}\n' >"$work/kinds/groups.yaml"

# expect NAME TEXT: the generator's complaint over types/x.yaml and kinds/k.yaml
expect () {
	count=$((count + 1))
	found=$("$generator" "$work" "$work/out.c" types/gates.yaml types/x.yaml \
		kinds/groups.yaml kinds/k.yaml 2>&1)
	status=$?
	found=$(printf '%s' "$found" | sed "s|^$work/||")
	wanted=1
	test -z "$2" && wanted=0
	if test "$found" = "$2" && test $status -eq "$wanted"; then
		echo "ok $count - $1"
	else
		echo "not ok $count - $1"
		echo "# status $status, found: $found"
		echo "# wanted: $2"
	fi
}

types () {
	printf 'package: a.v1\ntypes:\n  Thing:\n    kind: v1/Thing\n    fields:\n%b' "$1" \
		>"$work/types/x.yaml"
}

kind () {
	printf 'group: ""\nresource: things\nkind: Thing\nsingular: thing\nversions: [v1]\n%b' "$1" \
		>"$work/kinds/k.yaml"
}

echo 1..14
good_kind='stored: core/v1/things\nkey: things\nhash: x\nscope: cluster\nverbs: all\n'
kind "$good_kind"
types '      name: {is: string, no: 1}\n'
expect 'good files' ''
types '      name: {is: strng}\n'
expect 'unknown type' 'types/x.yaml:6: there is no type a.v1.strng'
types '      name: {is: string, requird: yes}\n'
expect 'unknown key' 'types/x.yaml:6: unknown key "requird" (did you mean "required"?)'
types '      name: {is: string}\n      name: {is: bool}\n'
expect 'field given twice' 'types/x.yaml:7: key "name" given twice'
types '      name: {is: list string, list: map}\n'
expect 'map list without keys' 'types/x.yaml:6: "list: map" and "keys" go together'
types '      name: {is: string, no: 2.300}\n'
expect 'bad number' \
	'types/x.yaml:6: "2.300" is no protobuf number (1 to 255, at most 4 deep)'
types '      name: {is: string, gate: Other}\n'
expect 'unknown gate' 'types/x.yaml:6: gate Other is not in gates.yaml'
types '      name: {is: string, required: true}\n'
expect 'yes or no' 'types/x.yaml:6: "required" is yes or no, not "true"'
types '      name: {is: string}\n    defaults:\n      - {at: name}\n'
expect 'half a default' 'types/x.yaml:8: a default is a rule, or at and put'
types '      name: {is: string\n'
expect 'not YAML' "types/x.yaml:7: did not find expected ',' or '}'"
types '      name: {is: string}\n'
kind "${good_kind}verb: all\n"
expect 'unknown key of a kind' 'kinds/k.yaml:11: unknown key "verb" (did you mean "verbs"?)'
kind 'virtual: yes\nscope: cluster\nverbs: [get, fetch]\n'
expect 'unknown verb' 'kinds/k.yaml:8: unknown verb "fetch"'
kind 'virtual: yes\nscope: everywhere\nverbs: all\n'
expect 'unknown scope' 'kinds/k.yaml:7: scope is namespace or cluster'
kind 'key: things\nhash: x\nscope: cluster\nverbs: all\n'
expect 'nothing stored' 'kinds/k.yaml:1: "stored" is missing'
