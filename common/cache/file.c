/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Files - names, locks and marks
 *
 * The layout of a meta page is LMDB's of version 0.9, which its own version number guards; magic
 * numbers of file systems are statfs(2)'s and linux/magic.h's.
 */
#include "common/cache/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/base/time.h"
#include "common/cache/key.h"
#include "common/cache/record.h"
#include "common/wire/reader.h"
#include "common/wire/writer.h"

#define STATE_MAGIC UINT64_C(0x6574617473737373) /* "ssssstate", its first eight */

static char *data_path(TALLOC_CTX *mem, const char *dir, const char *escaped)
{
	if (CACHE_SCHEMA == 1)
		return talloc_asprintf(mem, "%s/cache_%s.mdb", dir, escaped);
	return talloc_asprintf(mem, "%s/cache_%s.%d.mdb", dir, escaped, CACHE_SCHEMA);
}

/* All that lies beside data. */
static int name_files(struct cache_files *files, const char *dir, const char *name)
{
	files->dir = talloc_strdup(files, dir);
	files->domain = talloc_strdup(files, name);
	if (!files->dir || !files->domain || !files->data)
		return -ENOMEM;
	files->lock = talloc_asprintf(files, "%s-lock", files->data);
	files->state = talloc_asprintf(files, "%s-state", files->data);
	files->suspect = talloc_asprintf(files, "%s-suspect", files->data);
	files->made = talloc_asprintf(files, "%s.new", files->data);
	files->made_lock = talloc_asprintf(files, "%s.new-lock", files->data);
	files->damaged = talloc_asprintf(files, "%s.damaged-1", files->data);
	if (!files->lock || !files->state || !files->suspect || !files->made || !files->made_lock ||
	    !files->damaged)
		return -ENOMEM;
	return 0;
}

int files_named(TALLOC_CTX *mem, const char *dir, const char *name, struct cache_files **ret_files)
{
	auto_talloc struct cache_files *files = talloc_zero(mem, struct cache_files);
	int r;

	if (!files)
		return -ENOMEM;
	files->data = talloc_asprintf(files, "%s/%s.mdb", dir, name);
	r = name_files(files, dir, name);
	if (r < 0)
		return r;

	*ret_files = take_ptr(files);
	return 0;
}

int files_of(TALLOC_CTX *mem, const struct cache_options *options,
             struct cache_files **ret_files)
{
	auto_talloc struct cache_files *files = talloc_zero(mem, struct cache_files);
	char *escaped;
	int r;

	if (!files)
		return -ENOMEM;
	escaped = str_file_name(files, options->domain);
	if (!escaped)
		return -ENOMEM;
	files->data = data_path(files, options->dir, escaped);
	r = name_files(files, options->dir, options->domain);
	if (r < 0)
		return r;
	files->bereft = talloc_asprintf(files, "%s-bereft", files->data);
	files->listed = talloc_asprintf(files, "%s-listed", files->data);
	files->touched = talloc_asprintf(files, "%s-touched", files->data);
	if (!files->bereft || !files->listed || !files->touched)
		return -ENOMEM;

	*ret_files = take_ptr(files);
	return 0;
}

/* Kernels keep these apart from one another; glibc names not all of them. */
static const uint32_t network_magics[] = {
	NFS_SUPER_MAGIC, SMB_SUPER_MAGIC, CIFS_SUPER_MAGIC, SMB2_SUPER_MAGIC, CODA_SUPER_MAGIC,
	AFS_SUPER_MAGIC, AFS_FS_MAGIC, CEPH_SUPER_MAGIC, V9FS_MAGIC, OCFS2_SUPER_MAGIC,
	0x0bd00bd0, /* lustre */
	0x01161970, /* gfs2 */
	0x47504653, /* gpfs */
};

int files_on_network(const struct cache_files *files)
{
	struct statfs fs;

	if (statfs(files->dir, &fs) < 0)
		return -errno;
	for (size_t i = 0; i < str_size(network_magics); i++)
		if ((uint32_t)fs.f_type == network_magics[i])
			return -E_NETWORK_FS;
	return 0;
}

static int identify(int fd, const char *path, int flags, struct file_id *ret_id)
{
	struct statx st;

	if (statx(fd, path, flags, STATX_INO | STATX_BTIME, &st) < 0)
		return -errno;

	ret_id->device = makedev(st.stx_dev_major, st.stx_dev_minor);
	ret_id->inode = st.stx_ino;
	ret_id->born_ns = 0;
	if (st.stx_mask & STATX_BTIME)
		ret_id->born_ns = (uint64_t)st.stx_btime.tv_sec * 1000000000 + st.stx_btime.tv_nsec;
	return 0;
}

int file_id(const char *path, struct file_id *ret_id)
{
	return identify(AT_FDCWD, path, 0, ret_id);
}

int file_id_open(int fd, struct file_id *ret_id)
{
	return identify(fd, "", AT_EMPTY_PATH, ret_id);
}

bool file_id_equal(const struct file_id *a, const struct file_id *b)
{
	return a->device == b->device && a->inode == b->inode && a->born_ns == b->born_ns;
}

/* ---- the state ---- */

int state_parse(const void *bytes, size_t size, struct state *ret_state)
{
	struct reader in = reader_over(bytes, size);
	struct state state = { 0 };
	uint64_t magic, sum;
	uint32_t schema, clean;
	int r;

	magic = reader_u64(&in);
	schema = reader_u32(&in);
	clean = reader_u32(&in);
	state.boot = reader_u64(&in);
	state.data.inode = reader_u64(&in);
	state.data.born_ns = reader_u64(&in);
	reader_bytes(&in, 16);
	sum = reader_u64(&in);
	r = reader_end(&in);
	if (r < 0)
		return r;
	if (magic != STATE_MAGIC || clean > 1 ||
	    sum != checksum(0, bytes, STATE_SIZE - sizeof(sum)))
		return -EBADMSG;
	if (schema != CACHE_SCHEMA)
		return -E_CACHE_VERSION;

	state.clean = clean;
	*ret_state = state;
	return 0;
}

void state_build(const struct state *state, uint8_t bytes[STATE_SIZE])
{
	struct writer out = writer_new(STATE_SIZE);

	writer_u64(&out, STATE_MAGIC);
	writer_u32(&out, CACHE_SCHEMA);
	writer_u32(&out, state->clean);
	writer_u64(&out, state->boot);
	writer_u64(&out, state->data.inode);
	writer_u64(&out, state->data.born_ns);
	writer_u64(&out, 0);
	writer_u64(&out, 0);
	writer_u64(&out, checksum(0, out.bytes, out.size));

	/* Without memory it is zeros, which no state is: the next start checks once more. */
	memset(bytes, 0, STATE_SIZE);
	if (writer_end(&out) == 0)
		memcpy(bytes, out.bytes, out.size);
	writer_free(&out);
}

static int state_read(const struct cache_files *files, struct state *ret_state)
{
	auto_close int fd = open(files->state, O_RDONLY | O_CLOEXEC);
	uint8_t bytes[STATE_SIZE + 1];
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = pread(fd, bytes, sizeof(bytes), 0);
	if (n < 0)
		return -errno;
	return state_parse(bytes, (size_t)n, ret_state);
}

int state_lock(const struct cache_files *files, int *ret_fd)
{
	auto_close int fd = open(files->state, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int locked;

	if (fd < 0)
		return -errno;
	if (fcntl(fd, F_OFD_SETLK, &whole) < 0)
		return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;

	locked = fd;
	fd = -1;
	*ret_fd = locked;
	return 0;
}

bool state_lock_holds(const struct cache_files *files, int fd)
{
	struct stat ours, there;

	return fstat(fd, &ours) == 0 && stat(files->state, &there) == 0 &&
	       ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

int state_write(int fd, const struct file_id *data, bool clean)
{
	struct state state = { .clean = clean, .boot = boot_id(), .data = *data };
	uint8_t bytes[STATE_SIZE];

	state_build(&state, bytes);

	/* 64 bytes at the start of a file lie in one sector: old or new, nothing between. */
	errno = EIO; /* what a short write means here */
	if (pwrite(fd, bytes, sizeof(bytes), 0) != sizeof(bytes) || fdatasync(fd) < 0)
		return -errno;
	return 0;
}

/* ---- the first pages ---- */

#define META_MAGIC      0xbeefc0de
#define META_VERSION    1
#define META_FLAG       0x08
#define PAGE_SIZE_LEAST 256
#define PAGE_SIZE_MOST  65536
#define TREE_DEPTH_MAX  32

/* | pad: u32 | flags: u16 | depth: u16 | branch, leaf, overflow pages, entries, root: word | */
struct tree {
	uint32_t pad;
	uint16_t depth;
	uint64_t root;
};

static struct tree reader_tree(struct reader *in)
{
	struct tree tree;

	tree.pad = reader_u32(in);
	reader_u16(in);
	tree.depth = reader_u16(in);
	for (int i = 0; i < 4; i++)
		reader_word(in);
	tree.root = reader_word(in);
	return tree;
}

static bool tree_makes_sense(const struct tree *tree, const struct meta *meta)
{
	if (tree->root == SIZE_MAX) /* P_INVALID: it is empty */
		return tree->depth == 0;
	return tree->depth > 0 && tree->depth <= TREE_DEPTH_MAX && tree->root > 1 &&
	       tree->root <= meta->last_page;
}

/* | page: word | pad: u16 | flags: u16 | u32 | magic: u32 | version: u32 | address: word |
 * | map size: word | tree of free pages, its pad the page size | main tree | last page: word |
 * | txn: word | */
int meta_parse(const void *bytes, size_t size, struct meta *ret_meta)
{
	struct reader in = reader_over(bytes, size);
	uint32_t magic, version;
	struct meta meta = { 0 };
	struct tree free_pages, main_tree;
	uint16_t flags;

	reader_word(&in);
	reader_u16(&in);
	flags = reader_u16(&in);
	reader_u32(&in);
	magic = reader_u32(&in);
	version = reader_u32(&in);
	reader_word(&in);
	reader_word(&in);
	free_pages = reader_tree(&in);
	main_tree = reader_tree(&in);
	meta.last_page = reader_word(&in);
	meta.txn = reader_word(&in);
	meta.page_size = free_pages.pad;

	if (in.err < 0 || !(flags & META_FLAG) || magic != META_MAGIC)
		return -E_CACHE_DAMAGED;
	if (version != META_VERSION)
		return -E_CACHE_VERSION;
	if (meta.page_size < PAGE_SIZE_LEAST || meta.page_size > PAGE_SIZE_MOST ||
	    (meta.page_size & (meta.page_size - 1)) != 0 || meta.last_page < 1 ||
	    meta.last_page >= INT64_MAX / PAGE_SIZE_MOST ||
	    !tree_makes_sense(&free_pages, &meta) || !tree_makes_sense(&main_tree, &meta))
		return -E_CACHE_DAMAGED;

	*ret_meta = meta;
	return 0;
}

static int read_meta(int fd, off_t offset, struct meta *ret_meta)
{
	uint8_t bytes[META_SIZE];
	ssize_t n = pread(fd, bytes, sizeof(bytes), offset);

	if (n < 0)
		return -errno;
	return meta_parse(bytes, (size_t)n, ret_meta);
}

static int read_metas(int fd, struct meta *ret_meta)
{
	struct meta first, second;
	int r;

	r = read_meta(fd, 0, &first);
	if (r < 0)
		return r;
	r = read_meta(fd, first.page_size, &second);
	if (r < 0)
		return r;
	if (second.page_size != first.page_size)
		return -E_CACHE_DAMAGED;

	*ret_meta = first.txn > second.txn ? first : second;
	return 0;
}

int files_meta(const struct cache_files *files, struct meta *ret_meta)
{
	auto_close int fd = open(files->data, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : read_metas(fd, ret_meta);
}

/* How many bytes there are, and should be. */
static int measure(int fd, uint64_t *ret_size, uint64_t *ret_needed)
{
	struct meta meta;
	struct stat st;
	int r;

	/* In this order: a writer lengthens the file before a meta page says so. */
	r = read_metas(fd, &meta);
	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return -errno;
	*ret_size = (uint64_t)st.st_size;
	*ret_needed = (meta.last_page + 1) * meta.page_size;
	return 0;
}

int files_look(const struct cache_files *files)
{
	auto_close int fd = open(files->data, O_RDONLY | O_CLOEXEC);
	uint64_t size, needed;
	int r;

	if (fd < 0)
		return -errno;
	r = measure(fd, &size, &needed);
	if (r < 0)
		return r;
	return size < needed ? -E_CACHE_DAMAGED : 0;
}

int files_lengthen(const struct cache_files *files)
{
	auto_close int fd = open(files->data, O_RDWR | O_CLOEXEC);
	uint64_t size, needed;
	int r;

	if (fd < 0)
		return -errno;
	r = measure(fd, &size, &needed);
	if (r < 0)
		return r;
	return size < needed && ftruncate(fd, (off_t)needed) < 0 ? -errno : 0;
}

/* ---- damage ---- */

bool files_suspect(const struct cache_files *files)
{
	return access(files->suspect, F_OK) == 0;
}

bool files_need_check(const struct cache_files *files)
{
	struct file_id data;
	struct state state;

	if (file_id(files->data, &data) == -ENOENT)
		return false;
	if (files_suspect(files) || files_look(files) < 0 || state_read(files, &state) < 0)
		return true;
	if (state.data.inode != data.inode || state.data.born_ns != data.born_ns)
		return true;
	return !state.clean && (state.boot == 0 || state.boot != boot_id());
}

static int make_mark(const char *path)
{
	auto_close int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : 0;
}

int files_set_aside(const struct cache_files *files)
{
	/* First the mark: who reads meanwhile must not take a missing file for an empty one. On a
	 * full disk the cache is of more use than its mark. */
	if (files->bereft)
		make_mark(files->bereft);
	if (rename(files->data, files->damaged) < 0 && errno != ENOENT)
		return -errno;

	/* Whoever has the lock file open reads the file that has just left; a new environment must
	 * not share a reader table with it. */
	if ((unlink(files->lock) < 0 && errno != ENOENT) ||
	    (unlink(files->suspect) < 0 && errno != ENOENT))
		return -errno;
	return 0;
}

bool cache_check_needed(const struct cache_options *options)
{
	auto_talloc struct cache_files *files = NULL;

	return files_of(NULL, options, &files) < 0 || files_need_check(files);
}

int cache_mark_checked(const struct cache_options *options)
{
	auto_talloc struct cache_files *files = NULL;
	auto_close int fd = -1;
	struct file_id data;
	int r;

	r = files_of(NULL, options, &files);
	if (r < 0)
		return r;
	r = file_id(files->data, &data);
	if (r < 0)
		return r;
	r = state_lock(files, &fd);
	if (r < 0)
		return r;
	r = files_lengthen(files);
	if (r < 0)
		return r;
	/* The last that was written before a power cut may be lost. */
	if (unlink(files->listed) < 0 && errno != ENOENT)
		return -errno;
	r = state_write(fd, &data, false);
	if (r < 0)
		return r;
	return unlink(files->suspect) < 0 && errno != ENOENT ? -errno : 0;
}

int cache_mark_suspect(const struct cache_options *options)
{
	auto_talloc struct cache_files *files = NULL;
	int r;

	r = files_of(NULL, options, &files);
	return r < 0 ? r : make_mark(files->suspect);
}

int cache_set_aside(const struct cache_options *options)
{
	auto_talloc struct cache_files *files = NULL;
	int r;

	r = files_of(NULL, options, &files);
	return r < 0 ? r : files_set_aside(files);
}
