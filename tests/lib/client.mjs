// SPDX-License-Identifier: Apache-2.0
// What a program with the JavaScript client does: client.mjs SERVER CA TOKEN PART
// runs one of the functions of `parts`. Needs @kubernetes/client-node.
import assert from 'node:assert/strict';
import * as k8s from '@kubernetes/client-node';

const [server, caFile, token, part] = process.argv.slice(2);
const namespace = 'default';
const config = new k8s.KubeConfig();
config.loadFromOptions({
	clusters: [{ name: 'c', server, caFile }],
	users: [{ name: 'u', token }],
	contexts: [{ name: 'x', cluster: 'c', user: 'u' }],
	currentContext: 'x',
});
const core = config.makeApiClient(k8s.CoreV1Api);
const path = `/api/v1/namespaces/${namespace}/configmaps`;

function map(name, data) {
	return { metadata: { name }, data };
}

async function refused(code, promise) {
	await assert.rejects(promise, (failure) => failure.code === code);
}

// Resolves when `test` is true, which is looked at whenever something came.
function until(events, test, milliseconds = 20000) {
	return new Promise((resolve, reject) => {
		const timer = setTimeout(() => reject(new Error(`seen: ${JSON.stringify(events)}`)), milliseconds);
		events.look = () => {
			if (!test()) return;
			clearTimeout(timer);
			resolve();
		};
		events.look();
	});
}

const parts = {
	async objects() {
		const made = await core.createNamespacedConfigMap({ namespace, body: map('js', { a: '1' }) });
		assert.ok(made.metadata.creationTimestamp instanceof Date);
		await refused(409, core.createNamespacedConfigMap({ namespace, body: map('js', {}) }));
		made.data.b = 'é';
		await core.replaceNamespacedConfigMap({ name: 'js', namespace, body: made });
		await refused(409, core.replaceNamespacedConfigMap({ name: 'js', namespace, body: made }));
		const found = await core.readNamespacedConfigMap({ name: 'js', namespace });
		assert.deepEqual(found.data, { a: '1', b: 'é' });
		const list = await core.listNamespacedConfigMap({ namespace, fieldSelector: 'metadata.name=js' });
		assert.deepEqual(list.items.map((item) => item.metadata.name), ['js']);
		const gone = await core.deleteNamespacedConfigMap({ name: 'js', namespace });
		assert.equal(gone.status, 'Success');
		await refused(404, core.readNamespacedConfigMap({ name: 'js', namespace }));
	},

	async patches() {
		await core.createNamespacedConfigMap({ namespace, body: map('patched', { a: '1' }) });
		const as = (type) => k8s.setHeaderOptions('Content-Type', type);
		const patch = (body, type) =>
			core.patchNamespacedConfigMap({ name: 'patched', namespace, body }, as(type));
		await patch({ data: { b: '2' } }, k8s.PatchStrategy.MergePatch);
		await patch({ metadata: { labels: { l: 'v' } } }, k8s.PatchStrategy.StrategicMergePatch);
		const last = await patch([{ op: 'remove', path: '/data/a' }], k8s.PatchStrategy.JsonPatch);
		assert.deepEqual(last.data, { b: '2' });
		assert.deepEqual(last.metadata.labels, { l: 'v' });
		await core.deleteNamespacedConfigMap({ name: 'patched', namespace });
	},

	async watches() {
		const events = [];
		const watching = await new k8s.Watch(config).watch(
			path,
			{ fieldSelector: 'metadata.name=seen', allowWatchBookmarks: true },
			(type, object) => {
				if (type !== 'BOOKMARK') events.push(`${type} ${object.data.n}`);
				events.look?.();
			},
			() => {},
		);
		const known = [];
		const informer = k8s.makeInformer(config, path, () => core.listNamespacedConfigMap({ namespace }));
		for (const verb of ['add', 'update', 'delete'])
			informer.on(verb, (object) => {
				if (object.metadata.name === 'seen') known.push(verb);
				known.look?.();
			});
		await informer.start();
		await core.createNamespacedConfigMap({ namespace, body: map('seen', { n: '1' }) });
		await core.patchNamespacedConfigMap(
			{ name: 'seen', namespace, body: { data: { n: '2' } } },
			k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.MergePatch),
		);
		await core.deleteNamespacedConfigMap({ name: 'seen', namespace });
		await until(events, () => events.length === 3);
		assert.deepEqual([...events], ['ADDED 1', 'MODIFIED 2', 'DELETED 2']);
		await until(known, () => known.length === 3);
		assert.deepEqual([...known], ['add', 'update', 'delete']);
		await informer.stop();
		watching.abort();
	},
};

await parts[part]();
process.exit(0);
