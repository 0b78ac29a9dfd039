"""Train an implicit autoencoder: ``python -m ml.train --data DIR --out DIR``.

One flat recipe with four objectives, in two or three dimensions, on a processor, a graphics card or several
(``torchrun --nproc-per-node N -m ml.train ...``). Killed runs go on from their last checkpoint when started
again with the same command. The output folder gets curve and sample pictures while it runs.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import json
import math
import shlex
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from ml.errors import TrainingError, command_line
from ml.generator.files import save_generator
from ml.nets.autoencoder import Decoder, DeviceNoise, Encoder, FreshNoise, half_pays, to_device
from ml.nets.config import NetConfig
from ml.nets.critics import CodeCritic, JointCritic
from ml.patches.frames import Case, PatchSampler, Population
from ml.patches.pool import PatchPool
from ml.scans.cases import load_cases
from ml.training import losses, progress
from ml.training.distributed import Team, join

Objective: TypeAlias = Literal["iae", "iae_content", "aae", "ae"]
LOG_EVERY, CHECKPOINT_EVERY, VALIDATE_EVERY = 25, 200, 200
VALIDATION_PATCHES = 64
BETAS = (0.5, 0.99)
CHOICES = {"objective": ("iae", "iae_content", "aae", "ae"), "population": ("all", "normal")}
GRADIENT_NORM = 5.0


@dataclass(frozen=True)
class TrainConfig:
    """Objective and schedule.

    "iae" is the pure form (two critics, no pixel loss), "iae_content" adds the content term, "aae" keeps the
    code critic and a pixel loss, "ae" the pixel loss alone. ``pool`` patches are drawn once and reused (0 draws
    fresh ones for every batch). ``validation_share`` of the patients is held out; the run stops when their
    content error has not fallen for ``patience`` checks of 200 steps (0 never stops early).
    """

    objective: Objective = "iae_content"
    population: Population = "all"
    steps: int = 3000
    batch: int = 16
    learning_rate: float = 6e-4
    critic_rate: float = 1.5
    adversarial_weight: float = 0.5
    content_weight: float = 10.0
    prior_weight: float = 0.1
    warm_steps: int = 60
    slow_share: float = 0.3
    average: float = 0.995
    pool: int = 0
    validation_share: float = 0.0
    patience: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        # A batch of one has no second patch whose code the critic could be shown beside the first.
        if self.steps < 1 or self.batch < 2 or self.pool < 0 or self.patience < 0:
            raise TrainingError("Steps must be at least 1, batch at least 2, pool and patience at least 0.")
        if not 0 <= self.validation_share <= 0.5:
            raise TrainingError("At most half of the patients can be held out for validation.")
        if self.patience and not self.validation_share:
            raise TrainingError("Stopping early needs held-out patients: set a validation share.")

    @property
    def adversarial(self) -> bool:
        """Whether a critic compares pairs of patch and code."""
        return self.objective in {"iae", "iae_content"}

    @property
    def with_prior(self) -> bool:
        """Whether the codes are pulled to the prior."""
        return self.objective != "ae"


class Trainer:
    """Networks, optimisers and the state of the random numbers; one call of ``step`` is one update of each."""

    def __init__(
        self, cases: list[Case], net: NetConfig, config: TrainConfig, *, device: str = "cpu", team: Team | None = None
    ) -> None:
        torch.manual_seed(config.seed)
        self.net, self.config, self.device, self.done = net, config, torch.device(device), 0
        self.team, self.case_names = team or Team(), [case.name for case in cases]
        self.best = {"step": 0, "content": float("inf")}
        kept, held_out = split_patients(cases, config.validation_share, seed=config.seed)
        seed = config.seed + 1_000_003 * self.team.rank
        self.sampler = PatchSampler(kept, net, population=config.population, seed=seed)
        self.pool = PatchPool(self.sampler, config.pool, device=self.device, seed=seed) if config.pool else None
        self.watched = self._watched(held_out)
        self.encoder, self.decoder = Encoder(net), Decoder(net)
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

    def _watched(self, held_out: list[Case]) -> Tensor | None:
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
        loss.backward()  # type: ignore[no-untyped-call]
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

    def describe(self) -> dict[str, Any]:
        """What a run must have in common with its checkpoint; other cases would be held out otherwise."""
        return {"net": self.net.to_dict(), "train": asdict(self.config), "cases": self.case_names}

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


def split_patients(cases: list[Case], share: float, *, seed: int) -> tuple[list[Case], list[Case]]:
    """Cases to train on and cases held out; at least one of each when ``share`` is not zero.

    Raises TrainingError when there are too few.
    """
    if not share:
        return cases, []
    count = max(1, round(share * len(cases)))
    if count >= len(cases):
        raise TrainingError("There are too few patients to hold some out.")
    held_out = set(np.random.default_rng([seed, 57]).permutation(len(cases))[:count].tolist())
    return [c for n, c in enumerate(cases) if n not in held_out], [c for n, c in enumerate(cases) if n in held_out]


def write_checkpoint(trainer: Trainer, path: Path) -> None:
    """Write beside and move, so that a kill never leaves half a file; one file for all processes of a team.

    With a file each, a kill between two writes would leave processes at different steps.
    """
    state = trainer.state()
    if trainer.team.leads:
        partial = path.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(path)


def check_finite(log: dict[str, float], step: int) -> None:
    """Raise TrainingError where a loss is no number any more, before it gets into a checkpoint."""
    endless = [name for name, value in log.items() if not math.isfinite(value)]
    if endless:
        raise TrainingError(
            f"The training came apart: {', '.join(endless)} is no number any more at step {step}. "
            "Try a lower learning rate, another seed or another objective."
        )


def run(trainer: Trainer, folder: Path) -> None:
    """Train to the end, resuming from ``folder``.

    Prints one JSON line for every 25 steps; every 200 steps it writes them (``curve.jsonl``), ``curves.png``,
    ``samples.png`` and a checkpoint. With several processes the first one writes and speaks. Raises TrainingError
    when the folder holds another run or a loss is no number any more.
    """
    folder.mkdir(parents=True, exist_ok=True)
    team = trainer.team
    checkpoint = folder / "checkpoint.pt"
    curve: list[dict[str, float]] = []
    if checkpoint.is_file():
        trainer.restore(torch.load(checkpoint, map_location=trainer.device, weights_only=True))
        curve = progress.read_curve(folder, until=trainer.done)
        if team.leads:
            print(f"going on at step {trainer.done}", flush=True)
    started = time.monotonic() - (curve[-1]["seconds"] if curve else 0)
    while not trainer.finished:
        log = trainer.step()
        if trainer.done % VALIDATE_EVERY == 0 or trainer.done == trainer.config.steps:
            log |= trainer.validate()
        check_finite(log, trainer.done)
        last = trainer.finished
        if trainer.done % LOG_EVERY == 0 or last:
            line = {"step": trainer.done, "seconds": round(time.monotonic() - started, 1)}
            curve.append(line | {key: round(value, 4) for key, value in log.items()})
            if team.leads:
                print(json.dumps(curve[-1]), flush=True)
        if trainer.done % CHECKPOINT_EVERY == 0 or last:
            # The lines first: what a kill lets them have beyond the checkpoint is cut off when the run goes on.
            if team.leads:
                progress.write(trainer, curve, folder)
            write_checkpoint(trainer, checkpoint)


def add_fields(parser: argparse.ArgumentParser, defaults: Any) -> None:
    """One option for every field of a configuration."""
    for key, value in asdict(defaults).items():
        option = f"--{key.replace('_', '-')}"
        if isinstance(value, bool):
            continue
        if isinstance(value, tuple):
            parser.add_argument(option, type=type(value[0]), nargs=len(value), default=value, metavar=("Z", "Y", "X"))
        else:
            choices = CHOICES.get(key)
            parser.add_argument(option, type=type(value), default=value, choices=choices)


def main(arguments: Iterable[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m ml.train", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="scans in any layout of ml.scans.cases")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoint, weights and card")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--name", default="demo")
    parser.add_argument("--data-note", default="", help="what the data are, for the card")
    add_fields(parser, TrainConfig())
    add_fields(parser, NetConfig())
    given = list(arguments) if arguments is not None else sys.argv[1:]
    options = parser.parse_args(given)
    command = shlex.join(["python", "-m", "ml.train", *given])
    torch.set_num_threads(options.threads)
    config = TrainConfig(**{key: getattr(options, key) for key in asdict(TrainConfig())})
    chosen = {key: getattr(options, key) for key in asdict(NetConfig()) if key != "noise"}
    team, device = join(options.device)
    cases = load_cases(options.data)
    trainer = Trainer(
        cases, NetConfig.from_dict(chosen | {"noise": config.adversarial}), config, device=str(device), team=team
    )
    run(trainer, options.out)
    if team.leads:
        save_generator(trainer, cases, options.out, name=options.name, command=command, data_note=options.data_note)
    team.leave()


if __name__ == "__main__":
    command_line(main)
