"""The shipper as it is, but that it asks again at once."""

from __future__ import annotations

from boucle.bootstrap import shipper

if __name__ == "__main__":
    shipper._PAUSE_S, shipper._MAX_PAUSE_S = 0.02, 0.1
    shipper.main()
