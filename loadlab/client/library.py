"""Finds librdkafka, and declares the part of its C interface that Python code calls.

The library is the one that the confluent-kafka wheel ships, so that the admin client and the engine are
of one version. Compiled code finds the same symbols by name: see `loadlab.client.symbols`.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from ctypes import CDLL, POINTER, c_char_p, c_int, c_int32, c_size_t, c_void_p
from functools import cache
from typing import Final

import confluent_kafka.cimpl

from loadlab.errors import RunError

OLDEST_VERSION: Final = 0x020300FF
"""librdkafka 2.3.0: from here on the struct layouts are those of `loadlab.client.symbols`."""

NEXT_MAJOR_VERSION: Final = 0x03000000
"""librdkafka may change its struct layouts with a major version, and with that alone."""

# name: (result, arguments), in the order of rdkafka.h. Pointers to librdkafka's own types are c_void_p.
_PROTOTYPES: Final[dict[str, tuple[type | None, list[type]]]] = {
    # int rd_kafka_version(void)
    "rd_kafka_version": (c_int, []),
    # const char *rd_kafka_version_str(void)
    "rd_kafka_version_str": (c_char_p, []),
    # const char *rd_kafka_err2name(rd_kafka_resp_err_t err)
    "rd_kafka_err2name": (c_char_p, [c_int]),
    # const char *rd_kafka_err2str(rd_kafka_resp_err_t err)
    "rd_kafka_err2str": (c_char_p, [c_int]),
    # rd_kafka_conf_t *rd_kafka_conf_new(void)
    "rd_kafka_conf_new": (c_void_p, []),
    # void rd_kafka_conf_destroy(rd_kafka_conf_t *conf)
    "rd_kafka_conf_destroy": (None, [c_void_p]),
    # rd_kafka_conf_res_t rd_kafka_conf_set(conf, const char *name, const char *value, char *errstr, size_t)
    "rd_kafka_conf_set": (c_int, [c_void_p, c_char_p, c_char_p, c_char_p, c_size_t]),
    # rd_kafka_conf_res_t rd_kafka_conf_get(conf, const char *name, char *dest, size_t *dest_size)
    "rd_kafka_conf_get": (c_int, [c_void_p, c_char_p, c_char_p, POINTER(c_size_t)]),
    # const char **rd_kafka_conf_dump(rd_kafka_conf_t *conf, size_t *cntp)
    "rd_kafka_conf_dump": (POINTER(c_char_p), [c_void_p, POINTER(c_size_t)]),
    # void rd_kafka_conf_dump_free(const char **arr, size_t cnt)
    "rd_kafka_conf_dump_free": (None, [POINTER(c_char_p), c_size_t]),
    # rd_kafka_topic_conf_t *rd_kafka_conf_get_default_topic_conf(rd_kafka_conf_t *conf)
    "rd_kafka_conf_get_default_topic_conf": (c_void_p, [c_void_p]),
    # const char **rd_kafka_topic_conf_dump(rd_kafka_topic_conf_t *conf, size_t *cntp)
    "rd_kafka_topic_conf_dump": (POINTER(c_char_p), [c_void_p, POINTER(c_size_t)]),
    # void rd_kafka_conf_set_log_cb(conf, void (*)(rk, int level, const char *fac, const char *buf))
    "rd_kafka_conf_set_log_cb": (None, [c_void_p, c_void_p]),
    # void rd_kafka_conf_set_opaque(rd_kafka_conf_t *conf, void *opaque)
    "rd_kafka_conf_set_opaque": (None, [c_void_p, c_void_p]),
    # void rd_kafka_conf_set_dr_msg_cb(conf, void (*)(rk, const rd_kafka_message_t *, void *opaque))
    "rd_kafka_conf_set_dr_msg_cb": (None, [c_void_p, c_void_p]),
    # void rd_kafka_conf_set_stats_cb(conf, int (*)(rk, char *json, size_t json_len, void *opaque))
    "rd_kafka_conf_set_stats_cb": (None, [c_void_p, c_void_p]),
    # void rd_kafka_conf_set_throttle_cb(conf, void (*)(rk, char *broker_name, int32_t, int ms, void *opaque))
    "rd_kafka_conf_set_throttle_cb": (None, [c_void_p, c_void_p]),
    # void rd_kafka_conf_set_rebalance_cb(conf, void (*)(rk, err, topic_partition_list *, void *opaque))
    "rd_kafka_conf_set_rebalance_cb": (None, [c_void_p, c_void_p]),
    # rd_kafka_t *rd_kafka_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, char *errstr, size_t)
    "rd_kafka_new": (c_void_p, [c_int, c_void_p, c_char_p, c_size_t]),
    # void rd_kafka_destroy(rd_kafka_t *rk)
    "rd_kafka_destroy": (None, [c_void_p]),
    # rd_kafka_topic_t *rd_kafka_topic_new(rk, const char *topic, rd_kafka_topic_conf_t *conf)
    "rd_kafka_topic_new": (c_void_p, [c_void_p, c_char_p, c_void_p]),
    # void rd_kafka_topic_destroy(rd_kafka_topic_t *rkt)
    "rd_kafka_topic_destroy": (None, [c_void_p]),
    # rd_kafka_resp_err_t rd_kafka_metadata(rk, int all_topics, rkt, const struct **metadata, int timeout_ms)
    "rd_kafka_metadata": (c_int, [c_void_p, c_int, c_void_p, POINTER(c_void_p), c_int]),
    # void rd_kafka_metadata_destroy(const struct rd_kafka_metadata *metadata)
    "rd_kafka_metadata_destroy": (None, [c_void_p]),
    # int rd_kafka_poll(rd_kafka_t *rk, int timeout_ms)
    "rd_kafka_poll": (c_int, [c_void_p, c_int]),
    # rd_kafka_resp_err_t rd_kafka_purge(rd_kafka_t *rk, int purge_flags)
    "rd_kafka_purge": (c_int, [c_void_p, c_int]),
    # rd_kafka_resp_err_t rd_kafka_subscribe(rk, const rd_kafka_topic_partition_list_t *topics)
    "rd_kafka_subscribe": (c_int, [c_void_p, c_void_p]),
    # rd_kafka_resp_err_t rd_kafka_assign(rk, const rd_kafka_topic_partition_list_t *partitions)
    "rd_kafka_assign": (c_int, [c_void_p, c_void_p]),
    # rd_kafka_error_t *rd_kafka_incremental_assign(rk, const rd_kafka_topic_partition_list_t *)
    "rd_kafka_incremental_assign": (c_void_p, [c_void_p, c_void_p]),
    # rd_kafka_error_t *rd_kafka_incremental_unassign(rk, const rd_kafka_topic_partition_list_t *)
    "rd_kafka_incremental_unassign": (c_void_p, [c_void_p, c_void_p]),
    # rd_kafka_resp_err_t rd_kafka_error_code(const rd_kafka_error_t *error)
    "rd_kafka_error_code": (c_int, [c_void_p]),
    # void rd_kafka_error_destroy(rd_kafka_error_t *error)
    "rd_kafka_error_destroy": (None, [c_void_p]),
    # rd_kafka_resp_err_t rd_kafka_pause_partitions(rk, rd_kafka_topic_partition_list_t *partitions)
    "rd_kafka_pause_partitions": (c_int, [c_void_p, c_void_p]),
    # rd_kafka_resp_err_t rd_kafka_resume_partitions(rk, rd_kafka_topic_partition_list_t *partitions)
    "rd_kafka_resume_partitions": (c_int, [c_void_p, c_void_p]),
    # rd_kafka_resp_err_t rd_kafka_assignment(rk, rd_kafka_topic_partition_list_t **partitions)
    "rd_kafka_assignment": (c_int, [c_void_p, POINTER(c_void_p)]),
    # const char *rd_kafka_rebalance_protocol(rd_kafka_t *rk)
    "rd_kafka_rebalance_protocol": (c_char_p, [c_void_p]),
    # rd_kafka_topic_partition_list_t *rd_kafka_topic_partition_list_new(int size)
    "rd_kafka_topic_partition_list_new": (c_void_p, [c_int]),
    # rd_kafka_topic_partition_t *rd_kafka_topic_partition_list_add(list, const char *topic, int32_t)
    "rd_kafka_topic_partition_list_add": (c_void_p, [c_void_p, c_char_p, c_int32]),
    # rd_kafka_resp_err_t rd_kafka_offsets_for_times(rk, rd_kafka_topic_partition_list_t *, int timeout_ms)
    "rd_kafka_offsets_for_times": (c_int, [c_void_p, c_void_p, c_int]),
    # void rd_kafka_topic_partition_list_destroy(rd_kafka_topic_partition_list_t *list)
    "rd_kafka_topic_partition_list_destroy": (None, [c_void_p]),
    # rd_kafka_resp_err_t rd_kafka_committed(rk, rd_kafka_topic_partition_list_t *partitions, int timeout_ms)
    "rd_kafka_committed": (c_int, [c_void_p, c_void_p, c_int]),
    # rd_kafka_queue_t *rd_kafka_queue_get_consumer(rd_kafka_t *rk)
    "rd_kafka_queue_get_consumer": (c_void_p, [c_void_p]),
    # void rd_kafka_queue_destroy(rd_kafka_queue_t *rkqu)
    "rd_kafka_queue_destroy": (None, [c_void_p]),
    # rd_kafka_resp_err_t rd_kafka_poll_set_consumer(rd_kafka_t *rk)
    "rd_kafka_poll_set_consumer": (c_int, [c_void_p]),
    # rd_kafka_resp_err_t rd_kafka_commit(rk, const rd_kafka_topic_partition_list_t *offsets, int async)
    "rd_kafka_commit": (c_int, [c_void_p, c_void_p, c_int]),
    # rd_kafka_resp_err_t rd_kafka_consumer_close(rd_kafka_t *rk)
    "rd_kafka_consumer_close": (c_int, [c_void_p]),
    # rd_kafka_resp_err_t rd_kafka_conf_interceptor_add_on_new(conf, const char *ic_name, on_new, void *)
    "rd_kafka_conf_interceptor_add_on_new": (c_int, [c_void_p, c_char_p, c_void_p, c_void_p]),
    # rd_kafka_resp_err_t rd_kafka_interceptor_add_on_acknowledgement(rk, const char *ic_name, on_ack, void *)
    "rd_kafka_interceptor_add_on_acknowledgement": (c_int, [c_void_p, c_char_p, c_void_p, c_void_p]),
    # rd_kafka_resp_err_t rd_kafka_interceptor_add_on_response_received(rk, const char *, on_resp, void *)
    "rd_kafka_interceptor_add_on_response_received": (c_int, [c_void_p, c_char_p, c_void_p, c_void_p]),
}


@cache
def library_path() -> str:
    """The shared library through which every `rd_kafka_*` symbol can be found."""
    wheel = str(confluent_kafka.cimpl.__file__)
    if hasattr(CDLL(wheel), "rd_kafka_version"):
        return wheel
    system = ctypes.util.find_library("rdkafka")
    if system is None:
        raise RunError(
            "librdkafka was found neither in the confluent-kafka package nor on the system",
            fix="install the confluent-kafka wheel of this platform, or the system's librdkafka1",
        )
    return system


@cache
def librdkafka() -> CDLL:
    """librdkafka, with the prototypes of the functions that Python code calls."""
    library = CDLL(library_path())
    for name, (result, arguments) in _PROTOTYPES.items():
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    if not OLDEST_VERSION <= library.rd_kafka_version() < NEXT_MAJOR_VERSION:
        raise RunError(
            f"the engine does not know the struct layouts of librdkafka {version()}: it needs 2.3.0 to 2.x",
            fix="pip install 'confluent-kafka>=2.8,<3', as loadlab asks for",
        )
    return library


def version() -> str:
    """The version of librdkafka, as in "2.10.0"."""
    library = CDLL(library_path())
    library.rd_kafka_version_str.restype = c_char_p
    text: bytes = library.rd_kafka_version_str()
    return text.decode()


def error_name(code: int) -> str:
    """Kafka's name of an error, as in "MSG_TIMED_OUT" (librdkafka's own begin with an underscore)."""
    name: bytes = librdkafka().rd_kafka_err2name(code)
    return name.decode()


def error_text(code: int) -> str:
    """The sentence that librdkafka has for an error."""
    text: bytes = librdkafka().rd_kafka_err2str(code)
    return text.decode()
