/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pod as clusters have them, about 2.6 KB of canonical JSON: labels, owner,
 * three managers' field records, two containers with probes and a status.
 */
#ifndef COX_TESTS_BENCH_POD_H
#define COX_TESTS_BENCH_POD_H

/* clang-format off */
static const char bench_pod[] =
"{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"frontend-7d9c8b6f5-x2k4q\","
"\"generateName\":\"frontend-7d9c8b6f5-\",\"namespace\":\"default\","
"\"uid\":\"6f0b6f2e-5c0c-4b5e-9f1a-2b7d8c9e0a11\",\"resourceVersion\":\"184467\","
"\"generation\":1,\"creationTimestamp\":\"2026-03-01T10:11:12Z\",\"labels\":{\"app\":\"frontend\","
"\"pod-template-hash\":\"7d9c8b6f5\",\"tier\":\"web\"},\"ownerReferences\":[{\"apiVersion\":"
"\"apps/v1\",\"kind\":\"ReplicaSet\",\"name\":\"frontend-7d9c8b6f5\",\"uid\":"
"\"0c1d2e3f-1111-2222-3333-444455556666\",\"controller\":true,\"blockOwnerDeletion\":true}],"
"\"managedFields\":[{\"manager\":\"kube-controller-manager\",\"operation\":\"Update\","
"\"apiVersion\":\"v1\",\"time\":\"2026-03-01T10:11:12Z\",\"fieldsType\":\"FieldsV1\","
"\"fieldsV1\":{\"f:metadata\":{\"f:generateName\":{},\"f:labels\":{\".\":{},\"f:app\":{},"
"\"f:tier\":{}}},\"f:spec\":{\"f:containers\":{\"k:{\\\"name\\\":\\\"web\\\"}\":{\".\":{},"
"\"f:image\":{},\"f:name\":{},\"f:ports\":{}}}}}},{\"manager\":\"kubelet\",\"operation\":"
"\"Update\",\"apiVersion\":\"v1\",\"time\":\"2026-03-01T10:11:20Z\",\"fieldsType\":\"FieldsV1\","
"\"fieldsV1\":{\"f:status\":{\"f:conditions\":{\"k:{\\\"type\\\":\\\"Ready\\\"}\":{\".\":{},"
"\"f:status\":{}}},\"f:phase\":{},\"f:podIP\":{}}},\"subresource\":\"status\"}]},"
"\"spec\":{\"volumes\":[{\"name\":\"data\",\"emptyDir\":{}}],\"containers\":[{\"name\":\"web\","
"\"image\":\"registry.example.org/web:1.27\",\"command\":[\"/bin/web\"],\"args\":[\"--port\","
"\"8080\"],\"ports\":[{\"name\":\"http\",\"containerPort\":8080,\"protocol\":\"TCP\"}],\"env\":"
"[{\"name\":\"MODE\",\"value\":\"production\"},{\"name\":\"DB\",\"value\":\"db.default.svc\"}],"
"\"resources\":{\"limits\":{\"cpu\":\"500m\",\"memory\":\"128Mi\"},\"requests\":{\"cpu\":\"100m\","
"\"memory\":\"64Mi\"}},\"volumeMounts\":[{\"name\":\"data\",\"mountPath\":\"/data\"}],"
"\"readinessProbe\":{\"httpGet\":{\"path\":\"/ready\",\"port\":\"http\",\"scheme\":\"HTTP\"},"
"\"timeoutSeconds\":1,\"periodSeconds\":10,\"successThreshold\":1,\"failureThreshold\":3},"
"\"terminationMessagePath\":\"/dev/termination-log\",\"terminationMessagePolicy\":\"File\","
"\"imagePullPolicy\":\"IfNotPresent\"}],\"restartPolicy\":\"Always\","
"\"terminationGracePeriodSeconds\":30,\"dnsPolicy\":\"ClusterFirst\",\"nodeName\":\"node-17\","
"\"securityContext\":{},\"schedulerName\":\"default-scheduler\"},\"status\":{\"phase\":\"Running\","
"\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\",\"lastProbeTime\":null,"
"\"lastTransitionTime\":\"2026-03-01T10:11:20Z\"}],\"hostIP\":\"10.20.161.88\",\"podIP\":"
"\"10.244.3.7\",\"podIPs\":[{\"ip\":\"10.244.3.7\"}],\"startTime\":\"2026-03-01T10:11:13Z\","
"\"qosClass\":\"Burstable\"}}";
/* clang-format on */

#endif
