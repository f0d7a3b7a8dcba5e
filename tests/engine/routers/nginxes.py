"""nginx as the conformance kit's subject: one for each router."""

from __future__ import annotations

from pathlib import Path

from deployctl.engine.routers.base import RouterRef
from deployctl.engine.routers.nginx import NginxRouter
from tests.engine.routers import kit
from tests.support.nginxes import Nginx
from tests.support.ports import free_ports


class NginxSubject(kit.Subject):
    """Faults are made of what the settings name: a test that fails, a late reload."""

    slow_seconds = 4.0  # beside which testing a file is nothing

    def __init__(self, directory: Path) -> None:
        self.driver = NginxRouter()
        self.nginxes: dict[str, Nginx] = {}
        self._led: dict[str, str] = {}

    async def close(self) -> None:
        await super().close()
        for each in self.nginxes.values():
            each.remove()
            assert not each.folder.exists()

    def router(self, fault: str = "") -> RouterRef:
        slots = dict(zip(kit.SLOTS, (free_ports(3), free_ports(3)), strict=True))
        nginx = Nginx(slots, ordinary_user=True)
        nginx.start()
        name = str(len(self.nginxes))
        self.nginxes[name] = nginx
        settings = nginx.settings()
        if fault == "unreachable":
            settings["status"] = f"http://127.0.0.1:{free_ports(1)[0]}/slot"
        elif fault == "refusing":
            settings["test"] = nginx.words("-q", "-t", "-g", "no_such_directive on;")
        elif fault == "lying":
            settings["reload"] = ["/bin/true"]
        elif fault == "slow":
            words = nginx.words("-s", "reload")
            script = f'sleep {self.slow_seconds}; exec "$@"'
            settings["reload"] = ["/bin/sh", "-c", script, "sh", *words]
        return RouterRef(name, name, kit.SLOTS, settings)

    def switches(self, router: RouterRef) -> list[str]:
        nginx, led = self.nginxes[router.name], self._led.get(router.name)
        served = [*nginx.served()]
        assert nginx.serves() == (led or (served or ["blue"])[-1])
        # What it was led to by hand is none of the driver's switches.
        return [slot for slot in served[1:] if slot != led]

    def lead(self, router: RouterRef, slot: str) -> None:
        self.nginxes[router.name].lead(slot)
        self._led[router.name] = slot

    def restart(self, router: RouterRef) -> None:
        self.nginxes[router.name].restart()
