"""Statements of a test over one lasting connection, by libpq itself: a
program for each would take most of two processors where tests poll.  Python
standard library only."""

import ctypes
import select
import threading

LIBPQ = ctypes.CDLL("libpq.so.5")
CONNECTION_OK = 0
COMMAND_OK, TUPLES_OK = 1, 2
for name, result, arguments in (
        ("PQconnectdb", ctypes.c_void_p, [ctypes.c_char_p]),
        ("PQfinish", None, [ctypes.c_void_p]),
        ("PQstatus", ctypes.c_int, [ctypes.c_void_p]),
        ("PQsocket", ctypes.c_int, [ctypes.c_void_p]),
        ("PQconsumeInput", ctypes.c_int, [ctypes.c_void_p]),
        ("PQerrorMessage", ctypes.c_char_p, [ctypes.c_void_p]),
        ("PQsendQuery", ctypes.c_int, [ctypes.c_void_p, ctypes.c_char_p]),
        ("PQisBusy", ctypes.c_int, [ctypes.c_void_p]),
        ("PQgetResult", ctypes.c_void_p, [ctypes.c_void_p]),
        ("PQresultStatus", ctypes.c_int, [ctypes.c_void_p]),
        ("PQntuples", ctypes.c_int, [ctypes.c_void_p]),
        ("PQnfields", ctypes.c_int, [ctypes.c_void_p]),
        ("PQgetvalue", ctypes.c_char_p,
         [ctypes.c_void_p, ctypes.c_int, ctypes.c_int]),
        ("PQgetisnull", ctypes.c_int,
         [ctypes.c_void_p, ctypes.c_int, ctypes.c_int]),
        ("PQclear", None, [ctypes.c_void_p])):
    function = getattr(LIBPQ, name)
    function.restype, function.argtypes = result, arguments


def read_rows(result, null):
    fields = range(LIBPQ.PQnfields(result))
    return [[null if LIBPQ.PQgetisnull(result, row, field)
             else LIBPQ.PQgetvalue(result, row, field).decode()
             for field in fields] for row in range(LIBPQ.PQntuples(result))]


class Connection:
    """Of one thread; made when first asked for and again when it is gone."""

    def __init__(self, dsn):
        self.dsn = dsn
        self.handle = None

    def close(self):
        if self.handle:
            LIBPQ.PQfinish(self.handle)
            self.handle = None

    __del__ = close

    def is_lost(self):
        """Nothing is due on an idle connection but its end, or a notice."""
        if not self.handle or LIBPQ.PQstatus(self.handle) != CONNECTION_OK:
            return True
        while self.readable(0):
            if not LIBPQ.PQconsumeInput(self.handle):
                return True
        return False

    def readable(self, limit_ms):
        poll = select.poll()
        poll.register(LIBPQ.PQsocket(self.handle), select.POLLIN)
        return poll.poll(limit_ms)

    def result(self):
        """The next one, or None; signals are heard while it is waited for."""
        while LIBPQ.PQisBusy(self.handle):
            if (self.readable(1000)
                    and not LIBPQ.PQconsumeInput(self.handle)):
                break
        return LIBPQ.PQgetResult(self.handle)

    def open(self):
        if not self.is_lost():
            return
        self.close()
        self.handle = LIBPQ.PQconnectdb(
            f"{self.dsn} application_name=test connect_timeout=10 "
            "options='-c client_min_messages=error'".encode())
        if LIBPQ.PQstatus(self.handle) != CONNECTION_OK:
            raise RuntimeError(self.take_error())

    def take_error(self):
        """The words; where the connection went with it, a new one is next."""
        text = LIBPQ.PQerrorMessage(self.handle).decode().strip()
        if LIBPQ.PQstatus(self.handle) != CONNECTION_OK:
            self.close()
        return text

    def query(self, text, null=""):
        """The rows of all statements, as lists of text, `null` for NULL; an
        error raises RuntimeError with the server's words."""
        self.open()
        rows, error = [], None
        sent = LIBPQ.PQsendQuery(self.handle, text.encode())
        while sent:
            result = self.result()
            if not result:
                break
            status = LIBPQ.PQresultStatus(result)
            if status == TUPLES_OK:
                rows += read_rows(result, null)
            LIBPQ.PQclear(result)
            if status not in (COMMAND_OK, TUPLES_OK):
                error = LIBPQ.PQerrorMessage(self.handle).decode().strip()
                break
        if not sent or error:
            error = error or self.take_error()
            self.close()
            raise RuntimeError(error)
        return rows


class Connections:
    """One for each thread that asks."""

    def __init__(self, dsn):
        self.dsn = dsn
        self.own = threading.local()

    def query(self, text, null=""):
        if not hasattr(self.own, "connection"):
            self.own.connection = Connection(self.dsn)
        return self.own.connection.query(text, null)

    def close(self):
        """The calling thread's; others' go with their threads."""
        if hasattr(self.own, "connection"):
            self.own.connection.close()
