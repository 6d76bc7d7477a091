/* What both stubs share: the scenario that a test writes, and the ledger of what processes hold on the devices.
 *
 * Each library includes this once, so everything is static. Callers hold `lock` around all of it. Sizes are bytes.
 */
#ifndef SOAK_STUB_H
#define SOAK_STUB_H

#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DEVICES 16
#define INSTANCES 7 /* as many as real cards can be split into */
#define HOLDERS 64
#define MIB 1048576ull
#define STALE 20 /* milliseconds that an answer may be old: a look at the file for each call would cost too much */

typedef uint64_t u64;

enum group { MEMORY_V2, MEMORY, UTIL, TEMP, POWER, CLOCKS, THROTTLE, ECC, REMAPPED, REPLAYS, BAR1, PROCESSES, MIG,
             ALWAYS };
static const char *const GROUPS[] = { "memory_v2", "memory", "util", "temp", "power", "clocks", "throttle", "ecc",
                                      "remapped", "replays", "bar1", "processes", "mig" };

struct holder { unsigned pid; u64 bytes; };
struct holders { int n; struct holder at[HOLDERS]; };

/* A card as a whole is part 0, its instance J is part J + 1. */
struct part { u64 used; struct holders processes; char uuid[96]; };

struct device {
    char name[96], pci[32];
    struct part parts[1 + INSTANCES];
    double curve_base, curve_rate;
    u64 unsupported; /* a bit for each group */
    u64 remapped[4], bar1[2];
    /* From here on a member is named as its key. */
    u64 total, reserved, context, curve_pid, gpu_util, mem_util, temp, power_mw, sm_clock, mem_clock, throttle;
    u64 ecc_corrected, ecc_uncorrected, pcie_replays, hang, lost, gone, stuck, mig, no_process_memory;
};

#define KEY(member) { #member, offsetof(struct device, member) }
static const struct { const char *key; size_t at; } NUMBERS[] = {
    KEY(total), KEY(reserved), KEY(context), KEY(curve_pid), KEY(gpu_util), KEY(mem_util), KEY(temp), KEY(power_mw),
    KEY(sm_clock), KEY(mem_clock), KEY(throttle), KEY(ecc_corrected), KEY(ecc_uncorrected), KEY(pcie_replays),
    KEY(hang), KEY(lost), KEY(gone), KEY(stuck), KEY(mig), KEY(no_process_memory),
};

struct scenario {
    int init, devices, pid_offset, hide_processes;
    double epoch; /* unix seconds */
    char driver[80];
    struct device device[DEVICES];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct scenario scenario;
static struct holders ledger[DEVICES][1 + INSTANCES];
static u64 ledger_read; /* when, in milliseconds; 0 where it must be read anew */

/* The coarse clock is a few nanoseconds to read, and exact to some milliseconds. */
static u64 milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (u64)now.tv_sec * 1000 + (u64)now.tv_nsec / 1000000;
}

static double unix_time(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* A mistyped scenario must not pass as a calm device. */
__attribute__((noreturn)) static void refuse(const char *why, const char *what)
{
    fprintf(stderr, "GPU stub: %s: %s\n", why, what);
    abort();
}

static void hold(struct holders *holders, unsigned pid, u64 bytes)
{
    if (holders->n == HOLDERS)
        refuse("too many holders", "of one device");
    holders->at[holders->n++] = (struct holder){ pid, bytes };
}

static void put(char *to, size_t size, const char *text)
{
    if ((size_t)snprintf(to, size, "%s", text) >= size)
        refuse("too long", text);
}

/* Numbers with commas between. */
static void numbers(const char *text, u64 *to, int count)
{
    char *end;
    for (int i = 0; i < count; i++, text = end + 1) {
        to[i] = strtoull(text, &end, 0);
        if (end == text || (*end != ',' && i + 1 < count))
            refuse("too few numbers", text);
    }
}

/* PID:BYTES,PID:BYTES */
static void parse_holders(struct holders *to, char *value)
{
    to->n = 0;
    for (char *each = strtok(value, ","); each; each = strtok(NULL, ",")) {
        unsigned pid;
        unsigned long long bytes;
        if (sscanf(each, "%u:%llu", &pid, &bytes) != 2)
            refuse("not PID:BYTES", each);
        hold(to, pid, bytes);
    }
}

static void parse_unsupported(struct device *to, char *value)
{
    to->unsupported = 0;
    for (char *each = strtok(value, ","); each; each = strtok(NULL, ",")) {
        enum group group = MEMORY_V2;
        while (group < ALWAYS && strcmp(each, GROUPS[group]))
            group++;
        if (group == ALWAYS)
            refuse("no such group", each);
        to->unsupported |= 1u << group;
    }
}

static void parse_part(struct part *to, const char *key, char *value)
{
    if (!strcmp(key, "used"))
        numbers(value, &to->used, 1);
    else if (!strcmp(key, "uuid"))
        put(to->uuid, sizeof to->uuid, value);
    else if (!strcmp(key, "processes"))
        parse_holders(&to->processes, value);
    else
        refuse("no such key", key);
}

static void parse_device(struct device *to, const char *key, char *value)
{
    for (size_t i = 0; i < sizeof NUMBERS / sizeof *NUMBERS; i++)
        if (!strcmp(key, NUMBERS[i].key)) {
            numbers(value, (u64 *)((char *)to + NUMBERS[i].at), 1);
            return;
        }
    if (!strcmp(key, "name"))
        put(to->name, sizeof to->name, value);
    else if (!strcmp(key, "pci"))
        put(to->pci, sizeof to->pci, value);
    else if (!strcmp(key, "remapped"))
        numbers(value, to->remapped, 4);
    else if (!strcmp(key, "bar1"))
        numbers(value, to->bar1, 2);
    else if (!strcmp(key, "unsupported"))
        parse_unsupported(to, value);
    else if (!strcmp(key, "curve")) {
        if (sscanf(value, "%lf %lf", &to->curve_base, &to->curve_rate) != 2)
            refuse("not BASE RATE", value);
    } else if (!strncmp(key, "mig", 3) && key[3] >= '0' && key[3] < '0' + INSTANCES && key[4] == '.')
        parse_part(&to->parts[1 + key[3] - '0'], key + 5, value);
    else
        parse_part(&to->parts[0], key, value);
}

static void parse_line(struct scenario *to, char *line)
{
    line[strcspn(line, "\n")] = 0;
    char *value = line + strcspn(line, " "), *rest;
    if (*value)
        *value++ = 0;
    if (!*line || *line == '#')
        return;
    unsigned long index = strtoul(line, &rest, 10);
    if (rest != line && *rest == '.' && index < DEVICES)
        parse_device(&to->device[index], rest + 1, value);
    else if (!strcmp(line, "init"))
        to->init = atoi(value);
    else if (!strcmp(line, "devices"))
        to->devices = atoi(value);
    else if (!strcmp(line, "pid_offset"))
        to->pid_offset = atoi(value);
    else if (!strcmp(line, "hide_processes"))
        to->hide_processes = atoi(value);
    else if (!strcmp(line, "epoch"))
        to->epoch = atof(value);
    else if (!strcmp(line, "driver"))
        put(to->driver, sizeof to->driver, value);
    else
        refuse("no such key", line);
    if (to->devices < 0 || to->devices > DEVICES || (index < DEVICES && to->device[index].mig > INSTANCES))
        refuse("too many", line);
}

/* A calm data-centre card. */
static void begin_device(struct device *device, int index)
{
    *device = (struct device){ .total = 81920 * MIB, .reserved = 512 * MIB, .context = 256 * MIB, .temp = 40,
                               .power_mw = 90000, .sm_clock = 1410, .mem_clock = 1593,
                               .bar1 = { 131072 * MIB, 1 * MIB } };
    snprintf(device->name, sizeof device->name, "NVIDIA Stub 80GB");
    snprintf(device->pci, sizeof device->pci, "00000000:%02X:00.0", 0x3B + index);
    for (int i = 0; i <= INSTANCES; i++)
        snprintf(device->parts[i].uuid, sizeof device->parts[i].uuid, "%s-%08x-0000-0000-0000-%012x",
                 i ? "MIG" : "GPU", i, index);
}

static void load(FILE *file)
{
    static struct scenario next;
    static double loaded;
    static char line[16384];
    loaded = loaded ? loaded : unix_time();
    memset(&next, 0, sizeof next);
    next.epoch = loaded;
    put(next.driver, sizeof next.driver, "580.65.06");
    for (int i = 0; i < DEVICES; i++)
        begin_device(&next.device[i], i);
    while (fgets(line, sizeof line, file))
        parse_line(&next, line);
    scenario = next;
    ledger_read = 0; /* what a line of it means depends on the scenario */
}

/* Read the scenario anew where it has changed. A test replaces the file, so that it is never seen half written. */
static void refresh(int force)
{
    static u64 looked;
    static struct stat seen;
    const u64 now = milliseconds();
    if (!force && now - looked < STALE)
        return;
    looked = now;
    const char *path = getenv("SOAK_NVML_SCENARIO");
    struct stat is;
    if (!path || stat(path, &is))
        refuse("no scenario in SOAK_NVML_SCENARIO", path ? path : "unset");
    if (is.st_mtim.tv_nsec == seen.st_mtim.tv_nsec && is.st_mtim.tv_sec == seen.st_mtim.tv_sec
        && is.st_ino == seen.st_ino && is.st_size == seen.st_size)
        return;
    FILE *file = fopen(path, "re");
    if (!file)
        refuse("cannot be read", path);
    fstat(fileno(file), &seen);
    load(file);
    fclose(file);
}

/* Whether a process still has its memory: a zombie has given it back. */
static int alive(const char *pid)
{
    char path[300], text[512];
    snprintf(path, sizeof path, "/proc/%s/stat", pid);
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return 0;
    const ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    if (length <= 0)
        return 0; /* it ended in between */
    text[length] = 0;
    const char *state = strrchr(text, ')'); /* the name before may hold anything */
    return state && state[2] != 'Z' && state[2] != 'X';
}

/* The part that has this UUID or, where it may be short, the first that begins with it; -1 for none. */
static int find(const char *uuid, int may_be_short, int *part)
{
    for (int i = 0; i < scenario.devices; i++)
        for (*part = 0; *part <= (int)scenario.device[i].mig; ++*part)
            if (!strcmp(scenario.device[i].parts[*part].uuid, uuid))
                return i;
    for (int i = 0; may_be_short && i < scenario.devices; i++)
        for (*part = 0; *part <= (int)scenario.device[i].mig; ++*part)
            if (!strncmp(scenario.device[i].parts[*part].uuid, uuid, strlen(uuid)))
                return i;
    return -1;
}

/* One file of the ledger: lines of UUID BYTES. A dead process has lost everything, except on a device that is stuck.
 * What is lost is removed, so that a device that gets stuck later does not bring back those who left before. */
static void read_entry(const char *path, const char *pid)
{
    const int living = alive(pid); /* before its file is opened: who dies in between is found dead next time */
    FILE *file = fopen(path, "re");
    char uuid[96];
    unsigned long long bytes;
    int counts = living, part;
    if (!file)
        return;
    while (fscanf(file, "%95s %llu", uuid, &bytes) == 2) {
        const int device = find(uuid, 0, &part);
        if (device < 0 || !(living || scenario.device[device].stuck))
            continue;
        hold(&ledger[device][part], (unsigned)atoi(pid), bytes);
        counts = 1;
    }
    fclose(file);
    if (!counts)
        unlink(path);
}

static void read_ledger(int force)
{
    const u64 now = milliseconds();
    if (!force && ledger_read && now - ledger_read < STALE)
        return;
    ledger_read = now;
    for (int i = 0; i < DEVICES; i++)
        for (int part = 0; part <= INSTANCES; part++)
            ledger[i][part].n = 0;
    const char *folder = getenv("SOAK_CUDA_LEDGER");
    DIR *opened = folder ? opendir(folder) : NULL;
    char path[4096];
    for (struct dirent *each; opened && (each = readdir(opened));)
        if (isdigit((unsigned char)each->d_name[0]) && !strchr(each->d_name, '.')) {
            snprintf(path, sizeof path, "%s/%s", folder, each->d_name);
            read_entry(path, each->d_name);
        }
    if (opened)
        closedir(opened);
}

static u64 sum(const struct holders *holders)
{
    u64 bytes = 0;
    for (int i = 0; i < holders->n; i++)
        bytes += holders->at[i].bytes;
    return bytes;
}

/* What the curve has come to. */
static u64 curve(const struct device *device)
{
    if (!device->curve_base && !device->curve_rate)
        return 0; /* the exact clock costs more than all the rest */
    const double bytes = device->curve_base + device->curve_rate * (unix_time() - scenario.epoch);
    return bytes > 0 ? (u64)bytes : 0;
}

/* What can be held on a part, and what is: that of a card counts its instances. */
static u64 capacity(const struct device *device, int part)
{
    const u64 bytes = device->total > device->reserved ? device->total - device->reserved : 0;
    return part ? bytes / device->mig : bytes;
}

static u64 used(int index, int part)
{
    const struct device *device = &scenario.device[index];
    u64 bytes = part ? 0 : curve(device);
    for (int i = part; i <= (part ? part : (int)device->mig); i++) {
        const u64 listed = sum(&device->parts[i].processes), said = device->parts[i].used;
        bytes += (said > listed ? said : listed) + sum(&ledger[index][i]);
    }
    return bytes < capacity(device, part) ? bytes : capacity(device, part);
}

#endif
