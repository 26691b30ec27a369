/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Replay - runs a fuzzer's function over every file of a corpus, without libFuzzer
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void replay(const char *folder, const char *name)
{
	char path[4096];
	uint8_t *bytes;
	FILE *file;
	size_t size;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "rb");
	if (!file) {
		perror(path);
		exit(EXIT_FAILURE);
	}

	/* Exactly as large as the input, so that AddressSanitizer sees a step beyond it. */
	fseek(file, 0, SEEK_END);
	size = (size_t)ftell(file);
	rewind(file);
	bytes = malloc(size ? size : 1);
	if (!bytes || fread(bytes, 1, size, file) != size) {
		perror(path);
		exit(EXIT_FAILURE);
	}
	fclose(file);

	LLVMFuzzerTestOneInput(bytes, size);
	free(bytes);
}

int main(int argc, char *argv[])
{
	struct dirent *item;
	unsigned files = 0;
	DIR *folder;

	if (argc != 2) {
		fprintf(stderr, "usage: %s CORPUS\n", argv[0]);
		return EXIT_FAILURE;
	}

	folder = opendir(argv[1]);
	if (!folder) {
		perror(argv[1]);
		return EXIT_FAILURE;
	}
	while ((item = readdir(folder)) != NULL)
		if (item->d_name[0] != '.') {
			replay(argv[1], item->d_name);
			files++;
		}
	closedir(folder);

	/* An empty corpus would be a test that cannot fail. */
	printf("%u inputs\n", files);
	return files > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
