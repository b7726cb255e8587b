"""A name server in threads of a test, by UDP and TCP on one free port.  What it
says to a query is for who derives from it.

SPDX-License-Identifier: ISC
"""
import socket
import struct
import threading

from . import base


class NameServer:
    def __init__(self, bad):
        """bad: the exceptions of packets() that mean a query is none."""
        self.address = base.LOOPBACK
        self.bad = bad
        self.over = False
        while True:
            self.port = base.free_port(self.address)
            self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                self.udp.bind((self.address, self.port))
                self.tcp.bind((self.address, self.port))
                break
            except OSError:
                self.udp.close()
                self.tcp.close()
        self.tcp.listen(64)
        for serve in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=serve, daemon=True).start()

    def packets(self, wire, tcp):
        """What is sent in answer to a query, in order."""
        raise NotImplementedError

    def _serve_udp(self):
        while not self.over:
            try:
                wire, who = self.udp.recvfrom(4096)
                for packet in self.packets(wire, False):
                    self.udp.sendto(packet, who)
            except OSError:
                if self.over:
                    return
            except self.bad:
                pass

    def _serve_tcp(self):
        while not self.over:
            try:
                conn, _ = self.tcp.accept()
            except OSError:
                return
            threading.Thread(target=self._one_tcp, args=(conn,),
                             daemon=True).start()

    def _one_tcp(self, conn):
        conn.settimeout(30)
        with conn:
            try:
                while not self.over:
                    head = conn.recv(2, socket.MSG_WAITALL)
                    if len(head) < 2:
                        return
                    wire = conn.recv(struct.unpack("!H", head)[0],
                                     socket.MSG_WAITALL)
                    for packet in self.packets(wire, True):
                        conn.sendall(struct.pack("!H", len(packet)) + packet)
            except (OSError, *self.bad):
                pass

    def stop(self):
        self.over = True
        for s in (self.udp, self.tcp):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()
