/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the test's images from the machine's static busybox, with tar and sha256sum. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>

#if defined(__aarch64__)
#define MACHINE "arm64"
#else
#define MACHINE "amd64"
#endif

/*
 * Two layers: the second hides a file of the first and replaces a directory.
 * Then the same image as `docker save` writes it (saved.tar) and as an OCI
 * layout with packed layers (layout.tar, and layout/ for pushing).
 */
static const char make_images[] =
	"mkdir -p one/bin one/etc one/tmp one/old two/etc two/old saved layout/blobs/sha256\n"
	"cp /bin/busybox one/bin/busybox\n"
	"for name in sh cat echo sleep ls id hostname wget nc kill touch rm stat head true false "
	"tty stty mount date ps readlink nslookup; do ln -s busybox one/bin/$name; done\n"
	"chmod 1777 one/tmp\n"
	"echo 'root:x:0:0::/root:/bin/sh' > one/etc/passwd\n"
	"echo 'worker:x:1234:2345::/work:/bin/sh' >> one/etc/passwd\n"
	"printf 'root:x:0:\\nteam:x:77:worker\\n' > one/etc/group\n"
	"echo first > one/etc/hidden; echo first > one/old/file\n"
	"touch two/etc/.wh.hidden two/old/.wh..wh..opq; echo second > two/old/new\n"
	"tar --owner=0 --group=0 -C one -cf one.tar . ; tar --owner=0 --group=0 -C two -cf two.tar "
	".\n"
	"d1=$(sha256sum one.tar | cut -d' ' -f1); d2=$(sha256sum two.tar | cut -d' ' -f1)\n"
	"printf '{\"architecture\":\"" MACHINE "\",\"os\":\"linux\",\"config\":{\"Env\":"
	"[\"PATH=/bin\",\"FROM=image\"],\"Cmd\":[\"/bin/sleep\",\"600\"],\"WorkingDir\":\"/tmp\"},"
	"\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:%s\",\"sha256:%s\"]}}' $d1 $d2 "
	"> config.json\n"
	"c=$(sha256sum config.json | cut -d' ' -f1)\n"
	"cp config.json saved/$c.json; mkdir saved/a saved/b; cp one.tar saved/a/layer.tar; "
	"cp two.tar saved/b/layer.tar\n"
	"printf '[{\"Config\":\"%s.json\",\"RepoTags\":[\"test/busybox:1\"],\"Layers\":"
	"[\"a/layer.tar\",\"b/layer.tar\"]}]' $c > saved/manifest.json\n"
	"tar -C saved -cf saved.tar .\n"
	"gzip -nk one.tar two.tar\n"
	"g1=$(sha256sum one.tar.gz | cut -d' ' -f1); g2=$(sha256sum two.tar.gz | cut -d' ' -f1)\n"
	"mv one.tar.gz layout/blobs/sha256/$g1; mv two.tar.gz layout/blobs/sha256/$g2; "
	"cp config.json layout/blobs/sha256/$c\n"
	"size() { stat -c %s layout/blobs/sha256/$1; }\n"
	"printf '{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
	"\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":"
	"\"sha256:%s\",\"size\":%s},\"layers\":[{\"mediaType\":"
	"\"application/vnd.oci.image.layer.v1.tar+gzip\",\"digest\":\"sha256:%s\",\"size\":%s},"
	"{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+gzip\",\"digest\":\"sha256:%s\","
	"\"size\":%s}]}' $c $(size $c) $g1 $(size $g1) $g2 $(size $g2) > manifest.json\n";
static const char make_layout[] =
	"m=$(sha256sum manifest.json | cut -d' ' -f1); cp manifest.json layout/blobs/sha256/$m\n"
	"printf '{\"imageLayoutVersion\":\"1.0.0\"}' > layout/oci-layout\n"
	"printf '{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":"
	"\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"sha256:%s\",\"size\":%s,"
	"\"annotations\":{\"org.opencontainers.image.ref.name\":\"1\"}}]}' $m "
	"$(stat -c %s manifest.json) > layout/index.json\n"
	"tar -C layout -cf layout.tar .\n"
	/* An image whose layer goes through a link that leads out of it. */
	"mkdir -p outside evil/bad evilsave/a; ln -s \"$PWD/outside\" evil/link; echo pwned > "
	"evil/bad/escape\n"
	"tar -C evil --transform 's,^bad/escape$,link/escape,' -cf evil.tar link bad/escape\n"
	"e=$(sha256sum evil.tar | cut -d' ' -f1); cp evil.tar evilsave/a/layer.tar\n"
	"printf '{\"architecture\":\"" MACHINE
	"\",\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\","
	"\"diff_ids\":[\"sha256:%s\"]}}' $e > evilsave/c.json\n"
	"printf '[{\"Config\":\"c.json\",\"RepoTags\":[\"evil:1\"],\"Layers\":[\"a/layer.tar\"]}]' "
	"> evilsave/manifest.json; tar -C evilsave -cf evil-image.tar .\n"
	/* One whose layer is not what its configuration says. */
	"mkdir -p false/a; cp two.tar false/a/layer.tar; cp evilsave/c.json false/; "
	"cp evilsave/manifest.json false/; tar -C false -cf false-image.tar .\n"
	/* One whose directories are links to the machine's. */
	"mkdir -p links linksave/a; cp -a one/bin links/; for name in proc sys dev etc; do "
	"ln -s \"$PWD/target\" links/$name; done; tar -C links -cf links.tar .\n"
	"e=$(sha256sum links.tar | cut -d' ' -f1); cp links.tar linksave/a/layer.tar\n"
	"printf '{\"architecture\":\"" MACHINE
	"\",\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\","
	"\"diff_ids\":[\"sha256:%s\"]}}' $e > linksave/c.json\n"
	"printf "
	"'[{\"Config\":\"c.json\",\"RepoTags\":[\"links:1\"],\"Layers\":[\"a/layer.tar\"]}]' "
	"> linksave/manifest.json; tar -C linksave -cf links-image.tar .\n"
	"printf ok > plain; tar -cf none.tar plain\n";

void images_make(void)
{
	FILE *file = fopen(work_path("make.sh"), "we");

	if (!file)
		exit(99);
	fputs("set -e\n", file);
	fputs(make_images, file);
	fputs(make_layout, file);
	fclose(file);
	if (run_shell("sh make.sh") != 0) {
		print_error("the test's images could not be made\n");
		exit(99);
	}
}
