"""Several servers at one address: each connection is the next one's, as in examples/tests/support/round_robin.rs."""

import itertools
import socket
import threading


class RoundRobin:
    """Listens on a free port until it is closed."""

    def __init__(self, ports):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.origin = "http://127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.serve, args=(itertools.cycle(ports),), daemon=True).start()

    def serve(self, ports):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", next(ports)))
            except OSError:
                # One that is not there hangs up.
                client.close()
                continue
            threading.Thread(target=self.connect, args=(client, server), daemon=True).start()

    def connect(self, client, server):
        with client, server:
            back = threading.Thread(target=self.carry, args=(server, client), daemon=True)
            back.start()
            self.carry(client, server)
            back.join()

    @staticmethod
    def carry(there, back):
        """What comes from one to the other, until its end."""
        try:
            while part := there.recv(65536):
                back.sendall(part)
            back.shutdown(socket.SHUT_WR)
        except OSError:
            # One of them is gone.
            pass

    def close(self):
        # Wakes up who accepts, which closing alone does not.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
