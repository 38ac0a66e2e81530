#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a program with the Python client does: client.py SERVER PART runs one of
the functions below that begin with part_. Needs Debian's python3-kubernetes."""
import base64
import sys
import threading

import kubernetes
from kubernetes import client, dynamic, watch

NAMESPACE = "default"


def config_map(name, data, labels=None):
    return client.V1ConfigMap(
        metadata=client.V1ObjectMeta(name=name, labels=labels), data=data
    )


def same(expected, found):
    if expected != found:
        raise AssertionError(f"expected {expected!r}, found {found!r}")


def refused(status, call, *words, **options):
    """The reason of a call that has to fail."""
    try:
        call(*words, **options)
    except client.exceptions.ApiException as failure:
        same(status, failure.status)
        return kubernetes.client.ApiClient().deserialize(
            type("Body", (), {"data": failure.body})(), "object"
        )
    raise AssertionError(f"{call.__name__} was not refused with {status}")


def part_objects(core):
    made = core.create_namespaced_config_map(NAMESPACE, config_map("py", {"a": "1"}))
    same("py", made.metadata.name)
    same(True, made.metadata.creation_timestamp.tzinfo is not None)
    body = refused(409, core.create_namespaced_config_map, NAMESPACE, made_again(made))
    same("AlreadyExists", body["reason"])
    made.data["b"] = "é\n"
    changed = core.replace_namespaced_config_map("py", NAMESPACE, made)
    same({"a": "1", "b": "é\n"}, core.read_namespaced_config_map("py", NAMESPACE).data)
    # An old version is a conflict.
    made.data["c"] = "late"
    body = refused(409, core.replace_namespaced_config_map, "py", NAMESPACE, made)
    same("Conflict", body["reason"])
    status = core.delete_namespaced_config_map("py", NAMESPACE)
    same("Success", status.status)
    same(changed.metadata.uid, status.details.uid)
    body = refused(404, core.read_namespaced_config_map, "py", NAMESPACE)
    same("NotFound", body["reason"])


def made_again(made):
    return client.V1ConfigMap(
        metadata=client.V1ObjectMeta(name=made.metadata.name), data={}
    )


def part_patches(core):
    core.create_namespaced_config_map(NAMESPACE, config_map("patched", {"a": "1"}))
    core.patch_namespaced_config_map("patched", NAMESPACE, {"data": {"b": "2"}})
    core.patch_namespaced_config_map(
        "patched",
        NAMESPACE,
        [{"op": "replace", "path": "/data/a", "value": "3"}, {"op": "remove", "path": "/data/b"}],
    )
    same({"a": "3"}, core.read_namespaced_config_map("patched", NAMESPACE).data)
    refused(
        422,
        core.patch_namespaced_config_map,
        "patched",
        NAMESPACE,
        [{"op": "test", "path": "/data/a", "value": "4"}],
    )
    secret = core.create_namespaced_secret(
        NAMESPACE,
        client.V1Secret(
            metadata=client.V1ObjectMeta(name="patched"), string_data={"k": "v"}
        ),
    )
    same(b"v", base64.b64decode(secret.data["k"]))
    core.delete_namespaced_secret("patched", NAMESPACE)
    core.delete_namespaced_config_map("patched", NAMESPACE)


def part_lists(core):
    for number in range(25):
        core.create_namespaced_config_map(
            NAMESPACE, config_map(f"l{number:02}", {}, {"part": "lists", "odd": str(number % 2)})
        )
    names, token = [], None
    while True:
        page = core.list_namespaced_config_map(
            NAMESPACE, label_selector="part=lists", limit=10, _continue=token
        )
        names += [item.metadata.name for item in page.items]
        token = page.metadata._continue
        if not token:
            break
    same([f"l{number:02}" for number in range(25)], names)
    odd = core.list_config_map_for_all_namespaces(label_selector="part=lists,odd in (1)")
    same(12, len(odd.items))
    one = core.list_namespaced_config_map(NAMESPACE, field_selector="metadata.name=l07")
    same(["l07"], [item.metadata.name for item in one.items])
    core.delete_collection_namespaced_config_map(NAMESPACE, label_selector="part=lists")
    same([], core.list_namespaced_config_map(NAMESPACE, label_selector="part=lists").items)


def part_watches(core):
    version = core.list_namespaced_config_map(NAMESPACE).metadata.resource_version

    def change():
        core.create_namespaced_config_map(NAMESPACE, config_map("seen", {"n": "1"}))
        core.patch_namespaced_config_map("seen", NAMESPACE, {"data": {"n": "2"}})
        core.delete_namespaced_config_map("seen", NAMESPACE)

    changes = threading.Thread(target=change)
    changes.start()
    events = []
    stream = watch.Watch()
    for event in stream.stream(
        core.list_namespaced_config_map,
        NAMESPACE,
        resource_version=version,
        field_selector="metadata.name=seen",
        timeout_seconds=20,
    ):
        events.append((event["type"], event["object"].data["n"]))
        if len(events) == 3:
            stream.stop()
    changes.join()
    same([("ADDED", "1"), ("MODIFIED", "2"), ("DELETED", "2")], events)
    try:
        for event in watch.Watch().stream(
            core.list_namespaced_config_map, NAMESPACE, resource_version=1, timeout_seconds=20
        ):
            raise AssertionError(f"an event of long ago: {event}")
    except client.exceptions.ApiException as failure:
        same(410, failure.status)


def part_pods(core):
    pod = client.V1Pod(
        metadata=client.V1ObjectMeta(name="typed"),
        spec=client.V1PodSpec(
            containers=[
                client.V1Container(
                    name="c",
                    image="nginx",
                    resources=client.V1ResourceRequirements(limits={"cpu": "1500m"}),
                    liveness_probe=client.V1Probe(http_get=client.V1HTTPGetAction(port="http")),
                    ports=[client.V1ContainerPort(container_port=80, name="http")],
                )
            ]
        ),
    )
    made = core.create_namespaced_pod(NAMESPACE, pod)
    same("Pending", made.status.phase)
    same("http", made.spec.containers[0].liveness_probe.http_get.port)
    made.status.message = "said by a test"
    core.replace_namespaced_pod_status("typed", NAMESPACE, made)
    same("said by a test", core.read_namespaced_pod_status("typed", NAMESPACE).status.message)
    core.create_namespaced_pod_binding(
        "typed",
        NAMESPACE,
        client.V1Binding(
            metadata=client.V1ObjectMeta(name="typed"),
            target=client.V1ObjectReference(kind="Node", name="n"),
        ),
        _preload_content=False,
    )
    same("n", core.read_namespaced_pod("typed", NAMESPACE).spec.node_name)
    core.delete_namespaced_pod("typed", NAMESPACE, grace_period_seconds=0)
    body = refused(
        422, core.create_namespaced_pod, NAMESPACE, {"metadata": {"name": "none"}, "spec": {}}
    )
    same("spec.containers", body["details"]["causes"][0]["field"])


def part_dynamic(core):
    del core
    maps = dynamic.DynamicClient(client.ApiClient()).resources.get(
        api_version="v1", kind="ConfigMap"
    )
    maps.create(
        body={"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "dyn"}},
        namespace=NAMESPACE,
    )
    maps.patch(
        name="dyn",
        namespace=NAMESPACE,
        body={"data": {"x": "y"}},
        content_type="application/merge-patch+json",
    )
    same("y", maps.get(name="dyn", namespace=NAMESPACE).data.x)
    maps.delete(name="dyn", namespace=NAMESPACE)
    same("36", client.VersionApi().get_code().minor)
    groups = [group.name for group in client.ApisApi().get_api_versions().groups]
    same(True, "discovery.k8s.io" in groups)


def main():
    configuration = client.Configuration()
    configuration.host = sys.argv[1]
    client.Configuration.set_default(configuration)
    globals()["part_" + sys.argv[2]](client.CoreV1Api())


main()
