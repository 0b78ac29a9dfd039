"""The networks of a training and one step of it: four objectives, two or three dimensions, one device or several."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ml.errors import TrainingError
from ml.nets.autoencoder import Decoder, DeviceNoise, Encoder, FreshNoise, half_pays, to_device
from ml.nets.config import NetConfig
from ml.nets.critics import CodeCritic, JointCritic
from ml.patches.case import LiverCase
from ml.patches.pool import PatchPool
from ml.patches.sampling import PatchSampler, of_population
from ml.training import losses
from ml.training.beginning import Beginning
from ml.training.config import TrainConfig
from ml.training.distributed import Team
from ml.training.learned import Learned

# Steps between two looks at the held-out patients, and at how many of their patches, in one batch.
VALIDATE_EVERY = 200
VALIDATION_PATCHES = 64
# Of Adam; a first one of 0.5 is usual for adversarial training.
BETAS = (0.5, 0.99)
# Longer gradients (norm over the weights of one optimiser) are cut to this, so that one odd batch of an adversarial
# step does not undo the training. Set by hand.
GRADIENT_NORM = 5.0
# Patches on a picture.
SAMPLES = 8
# Far beyond the numbers that training draws, so that looking never takes a patch away from it.
FIRST_SAMPLE = 2**40


class Trainer:
    """Networks, optimisers and the state of the random numbers; one call of ``step`` is one update of each."""

    def __init__(
        self,
        cases: list[LiverCase],
        net: NetConfig,
        config: TrainConfig,
        *,
        device: str = "cpu",
        team: Team | None = None,
        beginning: Beginning | None = None,
    ) -> None:
        if beginning is not None:
            beginning.check(net)
        torch.manual_seed(config.seed)
        self.net, self.config, self.device, self.done = net, config, torch.device(device), 0
        self.team, self.case_names = team or Team(), [case.name for case in cases]
        self.undrawn = [case.name for case in cases if not case.all_drawn]
        self.beginning = beginning
        self.best = {"step": 0, "content": float("inf")}
        usable = of_population(cases, config.population)
        kept, held_out = split_patients(usable, config.validation_share, seed=config.seed)
        seed = config.seed + 1_000_003 * self.team.rank
        self.sampler = PatchSampler(kept, net, population=config.population, seed=seed)
        self.pool = PatchPool(self.sampler, config.pool, device=self.device, seed=seed) if config.pool else None
        self.watched = self._watched(held_out)
        self.encoder, self.decoder = Encoder(net), Decoder(net)
        if beginning is not None:
            beginning.put_into(self.encoder, self.decoder)
        self.critic, self.code_critic = JointCritic(net), CodeCritic(net)
        self.mean_encoder, self.mean_decoder = copy.deepcopy(self.encoder), copy.deepcopy(self.decoder)
        for module in self.modules().values():
            to_device(module, self.device)
        rate = config.learning_rate
        coder = itertools.chain(self.encoder.parameters(), self.decoder.parameters())
        self.optimisers = {
            "coder": torch.optim.Adam(coder, rate, BETAS),
            "critic": torch.optim.Adam(self.critic.parameters(), rate * config.critic_rate, BETAS),
            "code_critic": torch.optim.Adam(self.code_critic.parameters(), rate * 2, BETAS),
        }
        self.rates = {name: o.param_groups[0]["lr"] for name, o in self.optimisers.items()}
        self.half = half_pays(self.device)
        # The networks start alike on every process; what is drawn from here on must differ.
        torch.manual_seed(seed)

    def _watched(self, held_out: list[LiverCase]) -> Tensor | None:
        """The patches whose error decides when to stop: always the same ones of the held-out patients."""
        if not held_out:
            return None
        sampler = PatchSampler(held_out, self.net, population=self.config.population, seed=self.config.seed + 1)
        return torch.from_numpy(sampler.batch(VALIDATION_PATCHES)).to(self.device)

    def modules(self) -> dict[str, nn.Module]:
        """Everything with weights, by name."""
        return {
            "encoder": self.encoder,
            "decoder": self.decoder,
            "critic": self.critic,
            "code_critic": self.code_critic,
            "mean_encoder": self.mean_encoder,
            "mean_decoder": self.mean_decoder,
        }

    def autocast(self) -> torch.autocast:
        """Half precision for convolutions where the machine has it."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.half)

    def step(self) -> dict[str, float]:
        """One batch; returns the losses."""
        self._set_rates()
        patches = self._batch().contiguous(memory_format=torch.channels_last_3d)
        with self.autocast():
            codes = self.encoder(patches)
            decoded = self.decoder(codes, DeviceNoise(self.device))
        warm = self.done < self.config.warm_steps
        log = {}
        if self.config.adversarial and not warm:
            log["critic"] = self._update_critic(patches, decoded.detach(), codes.detach())
        if self.config.with_prior:
            log["code_critic"] = self._update_code_critic(codes.detach())
        log |= self._update_coder(patches, decoded, codes, adversarial=self.config.adversarial and not warm)
        self._average()
        self.done += 1
        return log

    def _batch(self) -> Tensor:
        if self.pool is not None:
            return self.pool.batch(self.done, self.config.batch)
        return torch.from_numpy(self.sampler.batch(self.config.batch)).to(self.device)

    @torch.inference_mode()
    def reconstructions(self, patches: Tensor) -> Tensor:
        """What the averaged networks make of patches, with noise that does not move the training's own."""
        noise = FreshNoise(torch.Generator().manual_seed(self.config.seed))
        with self.autocast():
            decoded: Tensor = self.mean_decoder(self.mean_encoder(patches), noise)
        return decoded

    def samples(self) -> tuple[Tensor, Tensor]:
        """Eight patches that the training itself never draws, and their reconstructions."""
        numbers = range(FIRST_SAMPLE, FIRST_SAMPLE + SAMPLES)
        patches = torch.from_numpy(np.stack([self.sampler.patch(n) for n in numbers])[:, None]).to(self.device)
        return patches, self.reconstructions(patches)

    def validate(self) -> dict[str, float]:
        """Content error on the held-out patients; empty where none are held out."""
        if self.watched is None:
            return {}
        error = losses.content_loss(self.reconstructions(self.watched), self.watched)
        content = self.team.mean(float(error), self.device)
        if content < self.best["content"]:
            self.best = {"step": self.done, "content": content}
        return {"validation_content": content}

    @property
    def validation_due(self) -> bool:
        """Whether the step that was just done is one after which the held-out patients are looked at."""
        return self.done % VALIDATE_EVERY == 0 or self.done == self.config.steps

    @property
    def finished(self) -> bool:
        """Whether all steps are done, or the held-out patients have not gained for long enough."""
        waited = self.done - self.best["step"]
        gave_up = bool(self.config.patience) and waited >= self.config.patience * VALIDATE_EVERY
        return self.done >= self.config.steps or gave_up

    def _set_rates(self) -> None:
        slow = self.done >= (1 - self.config.slow_share) * self.config.steps
        factor = min(1.0, (self.done + 1) / 100) * (0.4 if slow else 1.0)
        for name, optimiser in self.optimisers.items():
            for group in optimiser.param_groups:
                group["lr"] = self.rates[name] * factor

    def _apply(self, name: str, loss: Tensor) -> float:
        self.optimisers[name].zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self.team.average_gradients(self.optimisers[name].param_groups[0]["params"])
        nn.utils.clip_grad_norm_(self.optimisers[name].param_groups[0]["params"], GRADIENT_NORM)
        self.optimisers[name].step()
        return float(loss.detach())

    def _update_critic(self, real: Tensor, fake: Tensor, codes: Tensor) -> float:
        with self.autocast():
            scores = self.critic(torch.cat([real, fake, real.roll(1, 0)]), codes.repeat(3, 1))
        return self._apply("critic", losses.joint_critic_loss(*scores.chunk(3)))

    def _update_code_critic(self, codes: Tensor) -> float:
        prior = torch.randn_like(codes)
        return self._apply("code_critic", losses.code_critic_loss(self.code_critic(prior), self.code_critic(codes)))

    def _update_coder(self, real: Tensor, decoded: Tensor, codes: Tensor, *, adversarial: bool) -> dict[str, float]:
        config = self.config
        content = losses.content_loss(decoded, real)
        total = torch.zeros((), device=self.device)
        if config.objective in {"ae", "aae"}:
            total = total + config.content_weight * nn.functional.l1_loss(decoded, real)
        elif config.objective == "iae_content" or not adversarial:
            # The pure form also starts with content: a critic cannot teach a decoder that draws noise only.
            total = total + config.content_weight * content
        log = {"content": float(content.detach())}
        if config.with_prior:
            total = total + config.prior_weight * losses.code_prior_loss(self.code_critic(codes))
        if adversarial:
            with self.autocast():
                score = -self.critic(decoded, codes.detach() if config.objective == "iae_content" else codes).mean()
            total = total + config.adversarial_weight * score
            log["adversarial"] = float(score.detach())
        self._apply("coder", total)
        log["code_sd"] = float(codes.detach().std(0).mean())
        return log

    @torch.no_grad()
    def _average(self) -> None:
        keep = self.config.average if self.done > 300 else 0.9
        pairs = ((self.mean_encoder, self.encoder), (self.mean_decoder, self.decoder))
        for mean, current in pairs:
            for kept, new in zip(mean.parameters(), current.parameters(), strict=True):
                kept.lerp_(new, 1 - keep)

    def learned(self) -> Learned:
        """What a generator is made of."""
        return Learned(
            net=self.net,
            encoder=self.mean_encoder,
            decoder=self.mean_decoder,
            device=self.device,
            settings=asdict(self.config),
            seed=self.config.seed,
            steps_done=self.done,
            beginning=self.beginning,
        )

    def describe(self) -> dict[str, Any]:
        """What a run must have in common with its checkpoint; other cases would be held out otherwise."""
        described = {"net": self.net.to_dict(), "train": asdict(self.config), "cases": self.case_names}
        # Named only where there is something to name: checkpoints of before go on.
        if self.beginning is not None:
            described["beginning"] = self.beginning.digest
        if self.undrawn:
            described["undrawn"] = self.undrawn
        return described

    def state(self) -> dict[str, Any]:
        """All that is needed to go on as if never stopped; the processes of a team must ask for it together.

        They share everything but their random numbers, which stand side by side in ``random``.
        """
        on_device = torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None
        return {
            "done": self.done,
            "config": self.describe(),
            "modules": {name: module.state_dict() for name, module in self.modules().items()},
            "optimisers": {name: optimiser.state_dict() for name, optimiser in self.optimisers.items()},
            "random": self.team.gather({"host": torch.get_rng_state(), "device": on_device}),
            "drawn": self.sampler.drawn,
            "best": self.best,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from ``state``; raises TrainingError for other settings, cases or numbers of processes."""
        if state["config"] != self.describe():
            raise TrainingError("The checkpoint belongs to another configuration; choose another folder.")
        if len(state["random"]) != self.team.size:
            raise TrainingError(f"The checkpoint was written by {len(state['random'])} processes; start as many.")
        for name, module in self.modules().items():
            module.load_state_dict(state["modules"][name])
        for name, optimiser in self.optimisers.items():
            optimiser.load_state_dict(state["optimisers"][name])
        own = state["random"][self.team.rank]
        torch.set_rng_state(own["host"].cpu())
        if self.device.type == "cuda" and own["device"] is not None:
            torch.cuda.set_rng_state(own["device"].cpu(), self.device)
        self.sampler.drawn, self.best = int(state["drawn"]), dict(state["best"])
        self.done = int(state["done"])


def split_patients(cases: Sequence[LiverCase], share: float, *, seed: int) -> tuple[list[LiverCase], list[LiverCase]]:
    """Cases to train on and cases held out; at least one patient of each when ``share`` is not zero.

    Names tell patients apart, so that all scans of one are on the same side. Raises TrainingError when there are
    too few.
    """
    if not share:
        return list(cases), []
    names = list(dict.fromkeys(case.name for case in cases))
    count = max(1, round(share * len(names)))
    if count >= len(names):
        raise TrainingError("There are too few patients to hold some out.")
    drawn = np.random.default_rng([seed, 57]).permutation(len(names))[:count]
    held_out = {names[number] for number in drawn}
    return [c for c in cases if c.name not in held_out], [c for c in cases if c.name in held_out]
