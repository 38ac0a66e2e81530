#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares a running API server with the tables of API facts, row by row.

    facts.py SERVER DIRECTORY CHECK

SERVER is the URL of an empty server without admission plugins, DIRECTORY holds
the tables (resources.tsv, columns.tsv, ...), CHECK is the name of a function
below that begins with check_. What differs is printed, one line each, and the
exit status is 1. samples.py holds the objects that are sent.
"""
import base64
import csv
import json
import re
import struct
import sys
import urllib.error
import urllib.parse
import urllib.request

import conditions
import samples

MERGE = "application/merge-patch+json"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"

faults = []
server = directory = ""


def fault(text):
    faults.append(text)
    print(text)


def table(name):
    with open(f"{directory}/{name}.tsv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


class Answer:
    """One answer: its status and its body, as JSON where it is."""

    def __init__(self, status, data, headers):
        self.status = status
        self.headers = headers
        self.data = data
        try:
            self.body = json.loads(data)
        except ValueError:
            self.body = None

    @property
    def message(self):
        if isinstance(self.body, dict) and "message" in self.body:
            return self.body["message"]
        return repr(self.data[:200])


def call(method, path, body=None, accept="application/json", kind="application/json"):
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
    request = urllib.request.Request(server + path, data=body, method=method)
    request.add_header("Accept", accept)
    if body is not None:
        request.add_header("Content-Type", kind)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return Answer(answer.status, answer.read(), answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.read(), error.headers)


def query(**words):
    return "?" + urllib.parse.urlencode(words)


# What is served


class Resource:
    """A row of resources.tsv without a subresource."""

    def __init__(self, row):
        self.group, self.version, self.name = row["group"], row["version"], row["resource"]
        self.kind, self.type = row["kind"], row["type"]
        self.namespaced = row["namespaced"] == "1"
        self.verbs = set(row["verbs"].split(","))

    @property
    def api_version(self):
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def base(self):
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    def path(self, name=None, subresource=None, namespace="default"):
        path = self.base
        if self.namespaced:
            path += f"/namespaces/{namespace}"
        path += f"/{self.name}"
        for part in (name, subresource):
            if part:
                path += "/" + urllib.parse.quote(part)
        return path


def rows_of_resources():
    return table("resources")


def served():
    """The resources of the tables that the server has, by discovery."""
    found = []
    lists = {}
    for row in rows_of_resources():
        if row["subresource"]:
            continue
        resource = Resource(row)
        if resource.base not in lists:
            answer = call("GET", resource.base)
            names = {r["name"] for r in answer.body["resources"]} if answer.status == 200 else set()
            lists[resource.base] = names
        if resource.name in lists[resource.base]:
            found.append(resource)
    return found


def stored():
    return [r for r in served() if "create" in r.verbs and "get" in r.verbs]


def split(text):
    return sorted(text.split(",")) if text else []


# Discovery


def expected_plain(row):
    name = row["resource"] + ("/" + row["subresource"] if row["subresource"] else "")
    expected = {
        "name": name,
        "kind": row["kind"],
        "namespaced": row["namespaced"] == "1",
        "verbs": split(row["verbs"]),
        "singularName": row["singular"],
        "shortNames": split(row["shortnames"]),
        "categories": split(row["categories"]),
        "storageVersionHash": row["storageversionhash"],
    }
    same = (row["kindgroup"], row["kindversion"]) == (row["group"], row["version"])
    expected["of"] = ("", "") if same else (row["kindgroup"], row["kindversion"])
    return expected


def found_plain(entry):
    return {
        "name": entry["name"],
        "kind": entry["kind"],
        "namespaced": entry["namespaced"],
        "verbs": sorted(entry["verbs"]),
        "singularName": entry["singularName"],
        "shortNames": sorted(entry.get("shortNames", [])),
        "categories": sorted(entry.get("categories", [])),
        "storageVersionHash": entry.get("storageVersionHash", ""),
        "of": (entry.get("group", ""), entry.get("version", "")),
    }


def check_discovery():
    """Every resource in plain discovery as in the table; nothing more, nothing less."""
    rows = rows_of_resources()
    bases = sorted({Resource(row).base for row in rows})
    for base in bases:
        mine = [row for row in rows if Resource(row).base == base]
        answer = call("GET", base)
        if answer.status != 200:
            fault(f"{base}: {answer.status}")
            continue
        found = {entry["name"]: found_plain(entry) for entry in answer.body["resources"]}
        expected = {e["name"]: e for e in map(expected_plain, mine)}
        for name in found:
            if name not in expected:
                fault(f"{base}: {name} is not in the table")
            elif found[name] != expected[name]:
                fault(f"{base}: {found[name]}\n  expected {expected[name]}")
        for name in expected:
            if name not in found:
                fault(f"{base}: {name} is missing")
        names = [entry["name"] for entry in answer.body["resources"]]
        if names != sorted(names):
            fault(f"{base}: not in order: {names}")


def check_aggregated():
    """Aggregated discovery says what plain discovery says, in both versions."""
    for version in ("v2", "v2beta1"):
        accept = f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
        order = []
        for root in ("/api", "/apis"):
            for group in call("GET", root, accept=accept).body["items"]:
                name = group["metadata"].get("name", "")
                order.append(name)
                for one in group["versions"]:
                    base = f"/apis/{name}/{one['version']}" if name else f"/api/{one['version']}"
                    compare_aggregated(base, name, one)
        expected = list(dict.fromkeys(row["group"] for row in rows_of_resources()))
        expected = [group for group in expected if group in order]
        if [group for group in order if group in expected] != expected:
            fault(f"{version}: order of groups: {order}")


def compare_aggregated(base, group, version):
    plain = {e["name"]: e for e in call("GET", base).body["resources"]}
    names = set()
    for one in version["resources"]:
        parts = [("", one)] + [("/" + s["subresource"], s) for s in one.get("subresources", [])]
        for suffix, entry in parts:
            name = one["resource"] + suffix
            names.add(name)
            if name not in plain:
                if suffix or entry.get("verbs"):
                    fault(f"{base}: {name} is in aggregated discovery only")
                continue
            other = plain[name]
            kind = entry["responseKind"]
            pair = (other.get("group", group), other.get("version", version["version"]))
            if (kind["group"], kind["version"], kind["kind"]) != pair + (other["kind"],):
                fault(f"{base}: {name}: {kind} and {other}")
            if sorted(entry["verbs"]) != sorted(other["verbs"]):
                fault(f"{base}: {name}: verbs {entry['verbs']} and {other['verbs']}")
            if not suffix:
                scope = "Namespaced" if other["namespaced"] else "Cluster"
                if (entry["scope"], entry["singularResource"]) != (scope, other["singularName"]):
                    fault(f"{base}: {name}: {entry}")
                for field in ("shortNames", "categories"):
                    if entry.get(field, []) != other.get(field, []):
                        fault(f"{base}: {name}: {field}")
    if names != set(plain):
        fault(f"{base}: only in one form: {names ^ set(plain)}")


# Tables


def check_columns():
    """The columns of every list, cell by cell."""
    rows = table("columns")
    seen = {(r.group, r.kind) for r in served() if "list" in r.verbs}
    for pair in {(r["group"], r["kind"]) for r in rows} - seen:
        if pair not in samples.NO_LISTS:
            fault(f"columns: nothing lists {pair}")
    for resource in served():
        if "list" not in resource.verbs:
            continue
        mine = [r for r in rows if (r["group"], r["kind"]) == (resource.group, resource.kind)]
        mine.sort(key=lambda row: int(row["pos"]))
        answer = call("GET", resource.path(), accept=TABLE)
        if answer.status != 200:
            fault(f"{resource.path()}: {answer.status} {answer.message}")
            continue
        expected = [(r["name"], r["type"], r["format"], int(r["priority"])) for r in mine]
        found = [
            (c["name"], c["type"], c["format"], c["priority"])
            for c in answer.body["columnDefinitions"]
        ]
        if found != expected:
            fault(f"{resource.kind}: columns {found}\n  expected {expected}")


# Objects


def create(resource):
    answer = call("POST", resource.path(), samples.sample(resource))
    if answer.status != 201:
        fault(f"create {resource.kind}: {answer.status} {answer.message}")
        return None
    return answer.body


def remove(resource, name):
    path = resource.path(name)
    answer = call("DELETE", path, {"gracePeriodSeconds": 0})
    if answer.status == 200 and resource.kind == "Namespace":
        body = call("GET", path).body
        if body.get("kind") == "Namespace":
            body["spec"]["finalizers"] = []
            answer = call("PUT", path + "/finalize", body)
    if answer.status == 200:
        call("PATCH", path, {"metadata": {"finalizers": None}}, kind=MERGE)
    answer = call("GET", path)
    if answer.status != 404:
        fault(f"{path} is still there: {answer.status}")


def value_at(body, path):
    """The value of a row of fieldlabels.tsv as a selector compares it."""
    if ", or " in path:
        first, second = path.split(", or ")
        return value_at(body, first) or value_at(body, second.split(" ")[0])
    if ";" in path:
        path = path.split(";")[0].split(" ")[1]
    boolean = path.endswith(" as true|false")
    path = path.replace(" as true|false", "")
    here = body
    for part in re.findall(r"[^.\[\]]+", path):
        if isinstance(here, list):
            here = here[int(part)] if len(here) > int(part) else None
        elif isinstance(here, dict):
            here = here.get(part)
    if boolean:
        return "true" if here else "false"
    return "" if here is None else str(here)


def check_labels():
    """Field selectors: which labels are taken, and what they match."""
    rows = table("fieldlabels")
    seen = {(r.group, r.version, r.kind) for r in served() if "list" in r.verbs}
    for kind in {(r["group"], r["version"], r["kind"]) for r in rows} - seen:
        if kind[2] != "(custom resource)":
            fault(f"labels: nothing lists {kind}")
    for resource in served():
        if "list" not in resource.verbs:
            continue
        mine = [
            r
            for r in rows
            if (r["group"], r["version"], r["kind"])
            == (resource.group, resource.version, resource.kind)
        ]
        able = "create" in resource.verbs
        body = create(resource) if able else call("GET", resource.path()).body["items"][0]
        if not body:
            continue
        name = body["metadata"]["name"]
        if samples.STATUS.get(resource.kind):
            answer = call("PATCH", resource.path(name, "status"),
                          {"status": samples.STATUS[resource.kind]}, kind=MERGE)
            if answer.status != 200:
                fault(f"{resource.kind}: status: {answer.status} {answer.message}")
            body = call("GET", resource.path(name)).body
        for row in mine:
            check_label(resource, row, body)
        answer = call("GET", resource.path() + query(fieldSelector="spec.nothing=x"))
        if answer.status != 400 or "is not a known field selector" not in answer.message and \
                "field label not supported" not in answer.message:
            fault(f"{resource.kind}: an unknown label: {answer.status} {answer.message}")
        if able:
            remove(resource, name)


def check_label(resource, row, body):
    label, name = row["label"], body["metadata"]["name"]

    def selected(selector):
        answer = call("GET", resource.path() + query(fieldSelector=selector))
        if answer.status != 200:
            return answer.status, answer.message
        return name in [item["metadata"]["name"] for item in answer.body["items"]]

    if row["accepted"] != "1":
        found = selected(f"{label}=x")
        if found is True or found is False or found[0] != 400:
            fault(f"{resource.kind}: {label} was taken: {found}")
        return
    value = value_at(body, row["value"]) if row["matched"] == "1" else ""
    for selector, expected in (
        (f"{label}={value}", True),
        (f"{label}=={value}", True),
        (f"{label}!={value}", False),
        (f"{label}=other", False),
        (f"{label}!=other", True),
    ):
        found = selected(selector)
        if found != expected:
            fault(f"{resource.kind}: {selector}: {found}, expected {expected}")


def check_strategy():
    """Create by PUT, updates without a version, generation, status on create."""
    rows = {(r["group"], r["resource"]): r for r in table("strategy")}
    for pair in set(rows) - {(r.group, r.name) for r in stored()}:
        if pair[0] != "*":
            fault(f"strategy: nothing can be written of {pair}")
    for resource in stored():
        row = rows[(resource.group, resource.name)]
        check_create_on_put(resource, row)
        body = create(resource)
        if not body:
            continue
        name = body["metadata"]["name"]
        if (body["metadata"].get("generation") == 1) != (row["generation"] == "1"):
            fault(f"{resource.kind}: generation {body['metadata'].get('generation')} on create")
        body["metadata"].pop("resourceVersion")
        answer = call("PUT", resource.path(name), body)
        if row["unconditionalupdate"] == "1":
            if answer.status != 200:
                fault(f"{resource.kind}: PUT without a version: {answer.status} {answer.message}")
        elif answer.status != 422 or "must be specified for an update" not in answer.message:
            fault(f"{resource.kind}: PUT without a version: {answer.status} {answer.message}")
        remove(resource, name)
        check_status_on_create(resource, row)


def check_create_on_put(resource, row):
    body = samples.sample(resource)
    name = body["metadata"]["name"]
    answer = call("PUT", resource.path(name), body)
    if row["createonput"] == "1":
        if answer.status != 201:
            fault(f"{resource.kind}: create by PUT: {answer.status} {answer.message}")
            return
        remove(resource, name)
    elif answer.status != 404:
        fault(f"{resource.kind}: PUT of a new name: {answer.status} {answer.message}")
        if answer.status == 201:
            remove(resource, name)


def check_status_on_create(resource, row):
    status = samples.STATUS.get(resource.kind)
    if not status:
        return
    body = samples.sample(resource)
    body["status"] = status
    answer = call("POST", resource.path() + "?dryRun=All", body)
    if answer.status != 201:
        fault(f"{resource.kind}: create with a status: {answer.status} {answer.message}")
        return
    key = next(iter(status))
    kept = answer.body.get("status", {}).get(key) == status[key]
    if kept == (row["statusdropped"] == "1"):
        fault(f"{resource.kind}: status on create: {answer.body.get('status')}")


def check_verbs():
    """Every verb that discovery names works; every other method is 405."""
    for resource in served():
        if "list" in resource.verbs and "get" in resource.verbs:
            run_verbs(resource)


def run_verbs(resource):
    body = None
    if "create" in resource.verbs:
        body = create(resource)
        if not body:
            return
        name = body["metadata"]["name"]
    else:
        items = call("GET", resource.path()).body["items"]
        name = items[0]["metadata"]["name"] if items else "none"

    def expect(method, path, status, **words):
        answer = call(method, path, **words)
        if answer.status != status:
            fault(f"{method} {path}: {answer.status} {answer.message}, expected {status}")
        return answer

    able = lambda verb: verb in resource.verbs
    path, one = resource.path(), resource.path(name)
    answer = expect("GET", one, 200)
    if (answer.body.get("kind"), answer.body.get("apiVersion")) != (
        resource.kind, resource.api_version):
        fault(f"{one}: {answer.body.get('kind')} {answer.body.get('apiVersion')}")
    answer = expect("GET", path, 200)
    if answer.body.get("kind") != resource.kind + "List" or \
            name not in [i["metadata"]["name"] for i in answer.body["items"]]:
        fault(f"{path}: {answer.data[:300]}")
    version = answer.body["metadata"]["resourceVersion"]
    watch = path + query(watch=1, timeoutSeconds=1, resourceVersion=version)
    expect("GET", watch, 200 if able("watch") else 405)
    labelled = {"metadata": {"labels": {"facts": "yes"}}}
    if able("update"):
        answer.body = call("GET", one).body
        answer.body["metadata"]["labels"] = {"facts": "put"}
        expect("PUT", one, 200, body=answer.body)
    else:
        expect("PUT", one, 405, body=labelled)
    for kind in (MERGE, "application/strategic-merge-patch+json"):
        expect("PATCH", one, 200 if able("patch") else 405, body=labelled, kind=kind)
    step = [{"op": "add", "path": "/metadata/labels/facts", "value": "yes"}]
    expect("PATCH", one, 200 if able("patch") else 405, body=step,
           kind="application/json-patch+json")
    selected = path + query(labelSelector="facts=yes")
    if able("patch"):
        items = expect("GET", selected, 200).body["items"]
        if [i["metadata"]["name"] for i in items] != [name]:
            fault(f"{selected}: {items}")
    if able("deletecollection"):
        expect("DELETE", selected, 200, body={"gracePeriodSeconds": 0})
        call("PATCH", one, {"metadata": {"finalizers": None}}, kind=MERGE)
        expect("GET", one, 404)
    else:
        expect("DELETE", selected, 405)
        if able("delete"):
            remove(resource, name)
        else:
            expect("DELETE", one, 405)


# Defaults


def types():
    found = {}
    for row in table("types"):
        found.setdefault(row["type"], {})[row["field"]] = row
    return found


def walk(body, kind, all_types, visit):
    """Calls visit(type, object) for every structure in `body`."""
    fields = all_types.get(kind)
    if fields is None or not isinstance(body, dict):
        return
    visit(kind, body)
    for name, value in body.items():
        row = fields.get(name)
        if row is None or row["of"] not in all_types:
            continue
        if row["json"] == "ref":
            walk(value, row["of"], all_types, visit)
        elif row["json"] == "array" and isinstance(value, list):
            for item in value:
                walk(item, row["of"], all_types, visit)
        elif row["json"] == "map" and isinstance(value, dict):
            for item in value.values():
                walk(item, row["of"], all_types, visit)


def steps(path):
    return re.findall(r"\[\]|\[[^\]]+\]|[^.\[\]]+", path)


def places(body, parts):
    """Yields (holder, key) for each place that `parts` leads to below `body`."""
    if len(parts) == 1:
        if isinstance(body, dict):
            yield body, parts[0].strip("[]")
        return
    if parts[0] == "[]":
        values = body if isinstance(body, list) else body.values() if isinstance(body, dict) else []
        for value in values:
            yield from places(value, parts[1:])
    elif isinstance(body, dict) and body.get(parts[0].strip("[]")) is not None:
        yield from places(body[parts[0].strip("[]")], parts[1:])


def constant(row):
    return not row["when"] and not row["value"].startswith("=") and not row["field"].endswith("[]")


def is_shut(row, all_types):
    """Whether a gate that is off takes what the row is about out of every object."""
    gates = {one["gate"] for one in table("featuregates") if one["default"] == "0"}
    kind = row["type"]
    for part in steps(row["field"]):
        if part.startswith("["):
            continue
        field = all_types.get(kind, {}).get(part)
        if field is None:
            return False
        if set(split(field["gate"])) & gates:
            return True
        kind = field["of"]
    return False


def becomes(found, value):
    """An empty object may have got members by later defaults."""
    return found == value or value == {} and isinstance(found, dict)


def check_defaults():
    """Every constant default, in every structure of the samples where it applies."""
    all_types = types()
    rows = [
        row
        for row in table("defaults")
        if constant(row)
        and row["source"] != "create"
        and (row["type"], row["field"]) not in samples.NOT_SEEN
        and not is_shut(row, all_types)
    ]
    proven = set()
    kinds = set()

    def look(resource, body):
        def visit(kind, found):
            for row in rows:
                applies = not row["kinds"] or resource.type in row["kinds"].split(",")
                if row["type"] != kind or not applies:
                    continue
                for holder, name in places(found, steps(row["field"])):
                    if name not in holder:
                        fault(f"{resource.kind}: {kind}.{row['field']} is not set")
                    elif becomes(holder[name], json.loads(row["value"])):
                        proven.add((kind, row["field"]))

        walk(body, resource.type, all_types, visit)

    for resource in stored():
        kinds.add(resource.type)
        for sent in samples.all_of(resource):
            answer = call("POST", resource.path() + "?dryRun=All&fieldValidation=Strict", sent)
            if answer.status != 201:
                fault(f"create {resource.kind}: {answer.status} {answer.message}")
            else:
                look(resource, answer.body)
        if resource.kind == "Pod":
            look(resource, with_ephemeral(resource))
    reachable = set()
    for kind in kinds:
        reach(kind, all_types, reachable)
    for row in rows:
        applies = not row["kinds"] or set(row["kinds"].split(",")) & kinds
        if row["type"] in reachable and applies and (row["type"], row["field"]) not in proven:
            fault(f"{row['type']}.{row['field']}: never seen to become {row['value']}")


def merged(body, changes):
    """A merge patch applied."""
    if not isinstance(changes, dict) or not isinstance(body, dict):
        return changes
    body = dict(body)
    for name, value in changes.items():
        if value is None:
            body.pop(name, None)
        else:
            body[name] = merged(body.get(name, {}), value)
    return body


def check_conditions():
    """Every default that depends on something, by a case of its own."""
    cases = [case[:2] for case in conditions.CASES + conditions.STATUS_CASES]
    for row in table("defaults"):
        pair = (row["type"], row["field"])
        if constant(row) or pair in conditions.ELSEWHERE:
            continue
        if pair in cases:
            cases.remove(pair)
        else:
            fault(f"{pair}: no case for {row['value']} when {row['when']}")
    for pair in cases:
        fault(f"{pair}: more cases than rows")
    kinds = {}
    for resource in stored():
        kinds[resource.kind] = kinds[f"{resource.version} {resource.kind}"] = resource
    for *pair, kind, changes, path, expected in conditions.CASES:
        resource = kinds[kind]
        body = merged(samples.sample(resource), changes)
        answer = call("POST", resource.path() + "?dryRun=All&fieldValidation=Strict", body)
        compare_condition(pair, answer, 201, path, expected)
    for *pair, kind, changes, path, expected in conditions.STATUS_CASES:
        resource = kinds[kind]
        body = samples.sample(resource)
        if kind == "Service":
            body["spec"]["type"] = "LoadBalancer"
        name = call("POST", resource.path(), body).body["metadata"]["name"]
        answer = call("PATCH", resource.path(name, "status"), {"status": changes}, kind=MERGE)
        compare_condition(pair, answer, 200, path, expected)
        remove(resource, name)


def compare_condition(pair, answer, status, path, expected):
    if answer.status != status:
        fault(f"{pair}: {answer.status} {answer.message}")
        return
    value = conditions.at(answer.body, path)
    fits = expected(value, answer.body) if callable(expected) else value == expected
    if not fits:
        fault(f"{pair}: {value!r}, expected {expected!r}")


def with_ephemeral(pods):
    """A pod to which a container was added by its subresource."""
    name = create(pods)["metadata"]["name"]
    added = {"spec": {"ephemeralContainers": [{"name": "e", "image": "nginx"}]}}
    answer = call("PATCH", pods.path(name, "ephemeralcontainers"), added,
                  kind="application/strategic-merge-patch+json")
    if answer.status != 200:
        fault(f"add an ephemeral container: {answer.status} {answer.message}")
    remove(pods, name)
    return answer.body


def reach(kind, all_types, found):
    if kind in found or kind not in all_types:
        return
    found.add(kind)
    for row in all_types[kind].values():
        if row["json"] in ("ref", "array", "map"):
            reach(row["of"], all_types, found)


# Protobuf


WIRE_VARINT, WIRE_FIXED64, WIRE_BYTES = 0, 1, 2


def varint(number):
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def key(number, wire):
    return varint(number << 3 | wire)


def delimited(number, data):
    return key(number, WIRE_BYTES) + varint(len(data)) + data


def seconds(text):
    match = re.fullmatch(r"(.*?)(\.\d+)?Z", text)
    import calendar
    import time
    whole = calendar.timegm(time.strptime(match[1], "%Y-%m-%dT%H:%M:%S"))
    nanos = int((match[2] or ".0")[1:].ljust(9, "0"))
    data = key(1, WIRE_VARINT) + varint(whole)
    return data + (key(2, WIRE_VARINT) + varint(nanos) if nanos else b"")


def special(kind, value):
    """Types whose message is not what their JSON looks like; None for the others."""
    if kind == "resource.Quantity":
        return delimited(1, str(value).encode())
    if kind == "intstr.IntOrString":
        if isinstance(value, int):
            return key(1, WIRE_VARINT) + varint(0) + key(2, WIRE_VARINT) + varint(value)
        return key(1, WIRE_VARINT) + varint(1) + delimited(3, value.encode())
    if kind in ("meta.v1.Time", "meta.v1.MicroTime"):
        return seconds(value)
    if kind in ("meta.v1.FieldsV1", "runtime.RawExtension"):
        return delimited(1, json.dumps(value).encode())
    return None


def one_value(row, value, all_types):
    """(wire type, bytes) of an element of the field."""
    of, json_type = row["of"], row["json"]
    if json_type in ("array", "map"):
        json_type = "ref" if of in all_types or "." in of else of
    data = special(of, value) if of else None
    if data is None and row["format"] == "date-time":
        data = seconds(value)
    if data is not None:
        return WIRE_BYTES, data
    if json_type == "ref":
        return WIRE_BYTES, message(value, of, all_types)
    if json_type == "boolean" or isinstance(value, bool):
        return WIRE_VARINT, varint(int(value))
    if json_type == "number" or isinstance(value, float):
        return WIRE_FIXED64, struct.pack("<d", value)
    if json_type == "integer" or isinstance(value, int):
        return WIRE_VARINT, varint(value)
    if row["format"] == "byte":
        return WIRE_BYTES, base64.b64decode(value)
    return WIRE_BYTES, value.encode()


def field(number, wire, data):
    if wire == WIRE_BYTES:
        return delimited(number, data)
    return key(number, wire) + data


def message(body, kind, all_types):
    data = special(kind, body)
    if data is not None:
        return data
    parts = {}
    for name, value in body.items():
        row = all_types[kind].get(name)
        if row is None or not row["proto"] or value is None:
            continue
        *outer, at = map(int, row["proto"].split("."))
        encoded = b""
        if row["json"] == "array":
            for item in value:
                encoded += field(at, *one_value(row, item, all_types))
        elif row["json"] == "map":
            for name, item in value.items():
                entry = delimited(1, name.encode()) + field(2, *one_value(row, item, all_types))
                encoded += delimited(at, entry)
        else:
            encoded = field(at, *one_value(row, value, all_types))
        place = parts
        for number in outer:
            place = place.setdefault(number, {})
        place[at] = place.get(at, b"") + encoded
    return joined(parts)


def joined(parts):
    """The fields of a message in order; a dictionary is one inside it."""
    out = b""
    for number in sorted(parts):
        part = parts[number]
        out += delimited(number, joined(part)) if isinstance(part, dict) else part
    return out


def envelope(body, data):
    meta = delimited(1, body["apiVersion"].encode()) + delimited(2, body["kind"].encode())
    return b"k8s\0" + delimited(1, meta) + delimited(2, data)


def check_protobuf():
    """What is sent as protobuf becomes what the same sent as JSON does."""
    all_types = types()
    for resource in stored():
        for sent in samples.all_of(resource):
            path = resource.path() + "?dryRun=All"
            data = envelope(sent, message(sent, resource.type, all_types))
            plain = call("POST", path, sent)
            other = call("POST", path, data, kind="application/vnd.kubernetes.protobuf")
            if (plain.status, other.status) != (201, 201):
                fault(f"{resource.kind}: {plain.message} / {other.message}")
                continue
            for answer in (plain, other):
                for name in ("uid", "creationTimestamp", "managedFields"):
                    answer.body["metadata"].pop(name, None)
            difference("", plain.body, other.body, resource.kind)


def difference(path, one, other, kind):
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted(set(one) | set(other)):
            difference(f"{path}.{name}", one.get(name), other.get(name), kind)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, pair in enumerate(zip(one, other)):
            difference(f"{path}[{index}]", *pair, kind)
    elif one != other and path.split(".")[-1].split("[")[0] not in samples.CHOSEN:
        fault(f"{kind}{path}: {one!r} as JSON, {other!r} as protobuf")


# OpenAPI


def check_schema():
    """Every type in the OpenAPI documents has the fields of the table, as there."""
    all_types = types()
    reachable = {kind for kind in all_types if all_types[kind]["."]["src"] == "oas"}
    reachable -= samples.NOT_REACHED
    of_groups = set()
    for resource in served():
        reach(resource.type, all_types, of_groups)
    definitions = call("GET", "/openapi/v2").body["definitions"]
    third = {}
    for path in call("GET", "/openapi/v3").body["paths"].values():
        document = call("GET", path["serverRelativeURL"]).body
        third.update(document["components"].get("schemas", {}))
    for document, schemas in (("v2", definitions), ("v3", third)):
        by_type = {type_of(name): schema for name, schema in schemas.items()}
        # The third version has a document a group: what belongs to none is in the second.
        for kind in sorted(reachable if document == "v2" else reachable & of_groups):
            fields = all_types[kind]
            if fields["."]["src"] != "oas":
                continue
            if kind not in by_type:
                fault(f"{document}: {kind} is missing")
            elif fields["."]["json"] == "object":
                compare_schema(document, kind, fields, by_type[kind])


def type_of(name):
    """core.v1.PodSpec of io.k8s.api.core.v1.PodSpec and its like"""
    parts = name.split(".")
    tail = ".".join(parts[-3:])
    return ".".join(parts[-2:]) if parts[-2] in ("resource", "intstr", "runtime", "version") \
        else tail


def compare_schema(document, kind, fields, schema):
    found = schema.get("properties", {})
    expected = {name for name, row in fields.items() if name != "." and row["src"] == "oas"}
    if set(found) != expected:
        fault(f"{document}: {kind}: {sorted(set(found) ^ expected)} is in one of the two only")
    required = {name for name, row in fields.items() if row["required"] == "1"}
    if set(schema.get("required", [])) != required:
        fault(f"{document}: {kind}: required {schema.get('required')}, expected {sorted(required)}")
    for name in sorted(expected & set(found)):
        row, entry = fields[name], found[name]
        compare_property(f"{document}: {kind}.{name}", row, entry)


def compare_property(where, row, entry):
    words = {
        "x-kubernetes-patch-strategy": row["patchstrategy"],
        "x-kubernetes-patch-merge-key": row["patchmergekey"],
        "x-kubernetes-list-type": row["listtype"],
        "x-kubernetes-map-type": row["maptype"],
    }
    for word, value in words.items():
        if entry.get(word, "") != value:
            fault(f"{where}: {word} is {entry.get(word)!r}, expected {value!r}")
    keys = row["listmapkeys"].split(",") if row["listmapkeys"] else []
    if sorted(entry.get("x-kubernetes-list-map-keys", [])) != sorted(keys):
        fault(f"{where}: list map keys {entry.get('x-kubernetes-list-map-keys')}")
    if row["json"] in ("string", "integer", "number", "boolean"):
        if entry.get("type") != row["json"] or entry.get("format", "") != row["format"]:
            fault(f"{where}: {entry.get('type')} {entry.get('format')}")
    elif row["json"] == "array" and entry.get("type") != "array":
        fault(f"{where}: {entry.get('type')} instead of an array")
    elif row["json"] == "map" and (
        entry.get("type") != "object" or "additionalProperties" not in entry
    ):
        fault(f"{where}: {entry.get('type')} instead of a map")
    elif row["json"] == "ref":
        target = entry.get("$ref") or entry.get("allOf", [{}])[0].get("$ref", "")
        if type_of(target.split("/")[-1]) != row["of"]:
            fault(f"{where}: {target}, expected {row['of']}")
    if row["default"] and entry.get("default") != json.loads(row["default"]):
        fault(f"{where}: default {entry.get('default')!r}, expected {row['default']}")


# The tables in the programs


def dumped():
    """{type: {field: columns}} as tests/facts/tables writes it; see there."""
    found = {}
    with open(sys.argv[4], encoding="utf-8") as file:
        for line in file:
            kind, name, *columns = line.rstrip("\n").split("\t")
            found.setdefault(kind, {})[name] = columns
    return found


def check_tables():
    """Every field of every type, and every field of every message, one by one."""
    found = dumped()
    gates = {row["gate"]: row["default"] == "1" for row in table("featuregates")}
    gates.update(samples.GATES)
    for kind, fields in types().items():
        if fields["."]["json"] != "object":
            continue
        expected = {name for name in fields if name != "."}
        if set(found.get(kind, {})) != expected:
            fault(f"{kind}: {sorted(set(found.get(kind, {})) ^ expected)} in one of the two only")
        for name in sorted(expected & set(found.get(kind, {}))):
            compare_field(f"{kind}.{name}", fields[name], found[kind][name], gates)
    messages = {}
    for row in table("proto"):
        messages.setdefault(row["message"], []).append(row)
    for kind, rows in messages.items():
        if kind in found:
            compare_message(kind, rows, found[kind])


def compare_field(where, row, columns, gates):
    _form, number, omit, pointer, gate, dropped, words = columns
    for word, value, expected in (
        ("protobuf number", number, row["proto"]),
        ("omit", omit, row["omit"]),
        ("pointer", pointer, row["ptr"]),
        # Of several gates the first is named. Sets that the table leaves open may be closed.
        ("gate", gate, row["gate"].split(",")[0]),
        ("enum", sorted(split(words)) if row["enum"] else [], sorted(split(row["enum"]))),
    ):
        if value != expected:
            fault(f"{where}: {word} is {value}, expected {expected}")
    on = all(gates.get(one, True) for one in split(row["gate"]))
    if (dropped == "1") == on:
        fault(f"{where}: {'dropped' if on else 'kept'} with its gate {'on' if on else 'off'}")


def compare_message(kind, rows, fields):
    """A number of a message is a field, or a message in which fields lie deeper."""
    numbers = {}
    for name, (form, number, *_rest) in fields.items():
        if number:
            numbers.setdefault(number.split(".")[0], []).append((number, form, name))
    for row in rows:
        here = numbers.pop(row["number"], [])
        direct = [form for number, form, _name in here if "." not in number]
        if not here:
            fault(f"{kind}: no field has number {row['number']} ({row['field']})")
        elif direct and direct != [form_of(row)]:
            fault(f"{kind}.{row['field']}: {direct}, expected {form_of(row)}")
    for number, here in numbers.items():
        fault(f"{kind}: number {number} of {here} is not in the table")


def form_of(row):
    of = row["type"]
    entry = re.fullmatch(r"map<string,(.*)>", of)
    of = entry[1] if entry else of
    of = samples.FORMS.get(of, of)
    if entry:
        return "map " + of
    return ("repeated " if row["label"] == "repeated" else "") + of


def main():
    global server, directory
    server, directory = sys.argv[1].rstrip("/"), sys.argv[2]
    globals()["check_" + sys.argv[3]]()
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
