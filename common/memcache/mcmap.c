/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Memory cache map - how one file of the memory cache is begun, taken over, and given up
 *
 * The seed of the hash stands for what a file belongs to: series of boots and generation. The
 * padding behind the header holds when the machine was booted, by the wall clock of whoever began
 * the file.
 */
#include "common/memcache/mcmap.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/memcache/boots.h"
#include "common/memcache/impl.h"
#include "common/wire/writer.h"

#define SLOTS_PER_MIB 26214u
#define STATUS_AT     12
#define SEED_AT       16
#define HEADER_B2_AT  48
#define KIND_OF_FILE  2 /* others: what an earlier writer has left otherwise is not taken over */
#define LOCK_ATTEMPTS 3 /* the one in the way may just have gone */
#define MODE          0644
#define MODE_ASIDE    0600

static const char *const names[] = { MCMAP_NAMES };

/* ---- the file ---- */

static uint32_t seed_of(const char *dir, uint64_t generation)
{
	uint64_t what[] = { boots_series(dir), generation, KIND_OF_FILE };

	return memcache_hash(what, sizeof(what), 0);
}

static uint32_t round_up(uint32_t value)
{
	return (value + 7) & ~7u;
}

static struct memcache_header header_for(const struct mcmap_options *options)
{
	uint32_t n = round_up(options->size_mib * SLOTS_PER_MIB);
	uint32_t barrier = memcache_barrier_next(0);
	struct memcache_header header = {
		.b1 = barrier,
		.major = MEMCACHE_MAJOR,
		.minor = MEMCACHE_MINOR,
		.status = MEMCACHE_ALIVE,
		.seed = seed_of(options->dir, options->generation),
		.data_size = n * MEMCACHE_SLOT_SIZE,
		.bits_size = n / 8,
		.table_size = n * (uint32_t)sizeof(uint32_t),
		.data_at = MEMCACHE_DATA_AT,
		.b2 = barrier,
	};

	header.bits_at = header.data_at + header.data_size;
	header.table_at = round_up(header.bits_at + header.bits_size);
	return header;
}

static void write_header(struct writer *out, const struct memcache_header *header)
{
	writer_u32(out, header->b1);
	writer_u32(out, header->major);
	writer_u32(out, header->minor);
	writer_u32(out, header->status);
	writer_u32(out, header->seed);
	writer_u32(out, header->data_size);
	writer_u32(out, header->bits_size);
	writer_u32(out, header->table_size);
	writer_u32(out, header->data_at);
	writer_u32(out, header->bits_at);
	writer_u32(out, header->table_at);
	writer_u32(out, 0);
	writer_u32(out, header->b2);
	writer_u32(out, memcache_booted_at());
}

/* The lock that keeps another one of this type from the file; F_UNLCK: none. */
static short lock_in_the_way(int fd, short type)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1 };

	return fcntl(fd, F_GETLK, &lock) == 0 ? lock.l_type : F_UNLCK;
}

/* The lock that other vendors' writers have. Ours know each other by another one (lock.c), and do
 * without where somebody who may read the file keeps all others from it.
 * -EBUSY: another process writes the file. */
static int lock_file(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1 };

	for (int i = 0; i < LOCK_ATTEMPTS; i++) {
		if (fcntl(fd, F_SETLK, &lock) == 0)
			return 0;
		if (errno != EACCES && errno != EAGAIN)
			return -errno;
		if (lock_in_the_way(fd, F_WRLCK) == F_RDLCK)
			return 0;
	}
	return -EBUSY;
}

/* Is what the file says in its first bytes what we would write there? Only the barriers may
 * differ. */
static bool is_ours(const struct mcmap *map)
{
	uint8_t found[MEMCACHE_DATA_AT];
	struct writer out = writer_new(sizeof(found));
	struct memcache_header header;
	bool is;

	if (mcmap_read(map, 0, found, sizeof(found)) < 0)
		return false;
	write_header(&out, &map->header);
	is = writer_end(&out) == 0 && memcache_header_read(found, map->size, &header) == 0 &&
	     memcmp(found + 4, out.bytes + 4, HEADER_B2_AT - 4) == 0;
	writer_free(&out);
	return is && memcache_clock_is_right(found);
}

static void close_file(struct mcmap *map)
{
	if (map->fd >= 0)
		close(map->fd);
	map->fd = -1;
}

static void use_file(struct mcmap *map, const struct stat *st)
{
	map->dev = st->st_dev;
	map->ino = st->st_ino;
	map->wanted.hand = map->wanted.first;
	map->newcomers.hand = map->newcomers.first;
	map->n_used = 0;
	TALLOC_FREE(map->gone);
	map->barrier = memcache_barrier_next(0);
	memset(map->used, 0, map->n_slots / 8);
	for (uint32_t i = MEMCACHE_STOP; i < map->wanted.first; i++)
		bit_set(map->used, i, true);
	memset(map->in_use, 0, map->n_slots / 8);
}

static int recycle_fd(int fd)
{
	struct mcmap map = { .fd = fd };
	uint32_t barrier;
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size < (off_t)MEMCACHE_HEADER_SIZE)
		return 0; /* nobody reads that */
	r = mcmap_read_u32(&map, 0, &barrier);
	barrier = memcache_barrier_next(barrier);
	if (r == 0)
		r = mcmap_write_u32(&map, HEADER_B2_AT, barrier);
	if (r == 0)
		r = mcmap_write_u32(&map, STATUS_AT, MEMCACHE_RECYCLED);
	if (r == 0)
		r = mcmap_write_u32(&map, 0, barrier);
	return r;
}

/* Opens what is there for writing. -ENOENT: nothing, or nothing that is a file. */
static int open_path(const char *path, int *ret_fd)
{
	struct stat st;
	auto_close int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return errno == ELOOP || errno == EISDIR || errno == ENXIO ? -ENOENT : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENOENT;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

/* Takes the file at the path over. -EBADMSG: it is none to go on with, and is given up. */
static int take_over(struct mcmap *map)
{
	struct stat st;
	int r = open_path(map->path, &map->fd);

	if (r < 0)
		return r;
	r = lock_file(map->fd);
	if (r == -EBUSY) {
		close_file(map);
		return r;
	}
	if (r == 0 && fstat(map->fd, &st) < 0)
		r = -errno;
	if (r == 0)
		use_file(map, &st);
	if (r == 0 && ((uint64_t)st.st_size != map->size || !is_ours(map)))
		r = -EBADMSG;
	if (r == 0)
		r = mcmap_check(map);
	if (r > 0)
		r = mcmap_write_again(map, map->header.bits_at, map->used, map->n_slots / 8);
	if (r == 0)
		return 0;
	recycle_fd(map->fd);
	close_file(map);
	return -EBADMSG;
}

/* seed: of a file that is left alone; NULL = of none */
static int give_up(const char *dir, enum mcmap_kind kind, const uint32_t *seed, bool take_away)
{
	auto_talloc char *path = talloc_asprintf(NULL, "%s/%s", dir, names[kind]);
	auto_close int fd = -1;
	uint32_t found;
	int r;

	if (!path)
		return -ENOMEM;
	r = open_path(path, &fd);
	if (r == 0 && seed && pread(fd, &found, sizeof(found), SEED_AT) == sizeof(found) &&
	    found == *seed)
		return 0;
	if (r == 0)
		r = recycle_fd(fd);
	/* Looked at after that: see boots_close(). */
	if (r == 0 && boots_are_closed(dir) && fdatasync(fd) < 0)
		r = -errno;
	if (r == -ENOENT)
		r = 0;
	if (r < 0 || take_away)
		r = unlink(path) < 0 && errno != ENOENT ? -errno : 0;
	return r;
}

/* Nobody takes a record back meanwhile. Whoever stands still in the middle of that is left alone
 * with the file. */
static int take_over_alone(struct mcmap *map)
{
	int64_t wait_us = MCMAP_WRITER_WAIT_US;
	int r = mcmap_lock_change(map, &wait_us);

	if (r == 0)
		r = take_over(map);
	if (map->has_change_lock)
		mcmap_unlock_change(map);
	else if (r == -EBUSY) {
		mcmap_lock_abandon(map);
		give_up(map->options.dir, map->options.kind, NULL, false);
		r = mcmap_lock_open(map, true);
		return r < 0 ? r : -EBADMSG;
	}
	return r;
}

/* The record that is in no chain, and to which all places of the table lead that are unwritten. */
static int write_stop(const struct mcmap *map)
{
	static const uint8_t data[MEMCACHE_DATA_MIN];
	struct memcache_head head = {
		.length = MEMCACHE_HEAD_SIZE + sizeof(data),
		.hash1 = MEMCACHE_NONE,
		.hash2 = MEMCACHE_NONE,
		.b1 = map->barrier,
		.b2 = map->barrier,
	};

	return mcmap_write_record(map, MEMCACHE_STOP, &head, data, sizeof(data));
}

/* Readers look at any of its pages, and in a file system in memory that takes room, too: where
 * there is none they get SIGBUS. A disk is not written for that. Where it cannot be done nothing of
 * this happens. */
static int reserve_table(const struct mcmap *map)
{
	if (fallocate(map->fd, 0, map->header.table_at, map->header.table_size) == 0)
		return 0;
	return errno == EOPNOTSUPP || errno == ENOSYS ? 0 : -errno;
}

/* All is unwritten until something comes there. */
static int write_empty(const struct mcmap *map)
{
	struct writer out = writer_new(MEMCACHE_DATA_AT);
	int r;

	if (ftruncate(map->fd, (off_t)map->size) < 0)
		return -errno;
	r = reserve_table(map);
	if (r == 0)
		r = write_stop(map);
	if (r == 0)
		r = mcmap_write(map, map->header.bits_at, map->used, 1);
	write_header(&out, &map->header);
	if (r == 0)
		r = writer_end(&out);
	if (r == 0)
		r = mcmap_write(map, 0, out.bytes, out.size);
	writer_free(&out);
	return r;
}

/* Two that begin a file at once have one lock to fight for, which nobody can hold who may only
 * read. Whoever has it looks whether the other was there before. */
static int lock_aside(const struct mcmap *map, const char *aside)
{
	auto_close int fd = -1;
	struct stat ours, there;
	int r = lock_file(map->fd);

	if (r < 0)
		return r;
	if (fstat(map->fd, &ours) < 0)
		return -errno;
	if (lstat(aside, &there) < 0 || there.st_dev != ours.st_dev || there.st_ino != ours.st_ino)
		return -EBUSY;
	if (open_path(map->path, &fd) == 0 && lock_in_the_way(fd, F_RDLCK) != F_UNLCK)
		return -EBUSY;
	return 0;
}

/* A new file takes the path when it is whole and locked. Whatever is there, a directory even, goes
 * away if it can, also when there is no new one: it was given up. */
static int begin_file(struct mcmap *map)
{
	auto_talloc char *aside = talloc_asprintf(NULL, "%s.new", map->path);
	struct stat st;
	int r;

	if (!aside)
		return -ENOMEM;
	if (boots_are_closed(map->options.dir))
		return -EROFS;
	map->fd = open(aside, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY,
	               MODE_ASIDE);
	r = map->fd < 0 ? -errno : lock_aside(map, aside);
	if (r == 0 && (ftruncate(map->fd, 0) < 0 || fstat(map->fd, &st) < 0))
		r = -errno;
	if (r == 0) {
		use_file(map, &st);
		r = write_empty(map);
	}
	if (r == 0)
		rmdir(map->path);
	if (r == 0 && (fchmod(map->fd, MODE) < 0 || rename(aside, map->path) < 0))
		r = -errno;
	if (r == 0)
		return 0;
	if (r != -EBUSY) {
		unlink(aside);
		unlink(map->path);
	}
	close_file(map);
	return r;
}

static int mcmap_gone(struct mcmap *map)
{
	close_file(map);
	mcmap_lock_close(map);
	return 0;
}

int mcmap_open(TALLOC_CTX *mem, const struct mcmap_options *options, struct mcmap **ret_map)
{
	auto_talloc struct mcmap *map = talloc_zero(mem, struct mcmap);
	int r;

	if (!map)
		return -ENOMEM;
	map->fd = map->lock_fd = -1;
	talloc_set_destructor(map, mcmap_gone);
	map->options = *options;
	map->header = header_for(options);
	map->n_slots = map->header.data_size / MEMCACHE_SLOT_SIZE;
	map->n_hashes = map->header.table_size / (uint32_t)sizeof(uint32_t);
	map->wanted.first = slots_of(MEMCACHE_HEAD_SIZE + MEMCACHE_DATA_MIN);
	map->newcomers.end = map->n_slots;
	map->newcomers.first = map->wanted.end = map->n_slots - map->n_slots / MCMAP_NEW_PART;
	map->size = (uint64_t)map->header.table_at + map->header.table_size;
	map->path = talloc_asprintf(map, "%s/%s", options->dir, names[options->kind]);
	map->used = talloc_zero_size(map, map->n_slots / 8);
	map->in_use = talloc_zero_size(map, map->n_slots / 8);
	if (!map->path || !map->used || !map->in_use)
		return -ENOMEM;

	if (boots_are_closed(options->dir))
		return -EROFS;
	r = mcmap_lock_open(map, true);
	if (r < 0)
		return r;
	r = take_over_alone(map);
	if (r == 0)
		map->stats.was_kept = true;
	else if (r != -EBUSY)
		r = begin_file(map);
	if (r < 0)
		return r;
	*ret_map = take_ptr(map);
	return 0;
}

bool mcmap_is_sound(const struct mcmap *map)
{
	struct stat ours, there;

	return map->fd >= 0 && stat(map->path, &there) == 0 && there.st_dev == map->dev &&
	       there.st_ino == map->ino && fstat(map->fd, &ours) == 0 &&
	       (uint64_t)ours.st_size == map->size && mcmap_lock_is_there(map) && is_ours(map);
}

int mcmap_clear(struct mcmap *map)
{
	int r;

	/* Where that cannot be written, it is still taken from its path, which readers look at. */
	if (map->fd >= 0)
		recycle_fd(map->fd);
	close_file(map);
	r = mcmap_lock_open(map, true);
	return r < 0 ? r : begin_file(map);
}

void mcmap_stats(const struct mcmap *map, struct mcmap_stats *ret_stats)
{
	*ret_stats = map->stats;
	ret_stats->slots = map->n_slots;
	ret_stats->used = map->n_used;
}

int mcmap_recycle(const char *dir, enum mcmap_kind kind)
{
	return give_up(dir, kind, NULL, false);
}

int mcmap_recycle_others(const char *dir, enum mcmap_kind kind, uint64_t generation)
{
	uint32_t seed = seed_of(dir, generation);

	return give_up(dir, kind, &seed, false);
}

int mcmap_remove(const char *dir, enum mcmap_kind kind)
{
	return give_up(dir, kind, NULL, true);
}

/* ---- single records, by those who do not write ---- */

/* Opens the file at the path as one whose records can be removed. The change lock is held, and
 * still is where others look for it, so it is the file that is written. Errors: -ENOENT there is
 * none that anybody reads; others: it cannot be told. */
static int open_as_guest(struct mcmap *map)
{
	uint8_t bytes[MEMCACHE_DATA_AT];
	struct stat st;
	int r = open_path(map->path, &map->fd);

	if (r < 0)
		return r;
	/* A writer of another vendor, or whose lock file was taken away, does not see our lock. */
	if (!mcmap_lock_is_there(map) ||
	    (lock_in_the_way(map->fd, F_RDLCK) != F_UNLCK && !mcmap_lock_has_writer(map)))
		return -EBUSY;
	if (fstat(map->fd, &st) < 0)
		return -errno;
	r = mcmap_read(map, 0, bytes, sizeof(bytes));
	if (r == 0)
		r = memcache_header_read(bytes, (uint64_t)st.st_size, &map->header);
	if (r < 0)
		return r == -ESTALE ? -ENOENT : r;
	map->n_slots = map->header.data_size / MEMCACHE_SLOT_SIZE;
	map->n_hashes = map->header.table_size / (uint32_t)sizeof(uint32_t);
	return 0;
}

static int take_back(struct mcmap *map, const struct mcmap_key *keys, size_t n_keys,
                     int64_t *wait_us)
{
	int r;

	map->path = talloc_asprintf(map, "%s/%s", map->options.dir, names[map->options.kind]);
	if (!map->path)
		return -ENOMEM;
	if (access(map->path, F_OK) < 0 && errno == ENOENT)
		return 0;
	r = mcmap_lock_open(map, false);
	if (r == 0)
		r = mcmap_lock_change(map, wait_us);
	if (r == 0)
		r = open_as_guest(map);
	if (r == -ENOENT)
		return 0;
	for (size_t i = 0; i < n_keys && r >= 0; i++)
		r = mcmap_forget_by(map, keys[i].by, keys[i].text);
	return r;
}

int mcmap_take_back(const char *dir, enum mcmap_kind kind, const struct mcmap_key *keys,
                    size_t n_keys, int64_t *wait_us)
{
	auto_talloc struct mcmap *map = talloc_zero(NULL, struct mcmap);
	int r = map ? 0 : -ENOMEM;

	if (r == 0) {
		map->fd = map->lock_fd = -1;
		talloc_set_destructor(map, mcmap_gone);
		map->options = (struct mcmap_options){ .dir = dir, .kind = kind };
		r = take_back(map, keys, n_keys, wait_us);
	}
	/* Looked at after that: see boots_close(). */
	return r < 0 || boots_are_closed(dir) ? mcmap_recycle(dir, kind) : 0;
}
