"""Train an implicit autoencoder: ``python -m ml.train --data DIR --out DIR``.

One flat recipe with four objectives. Killed runs go on from their last checkpoint when started again with
the same command.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import json
import shlex
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn

from ml import losses
from ml.artefact import save_generator
from ml.errors import TrainingError
from ml.nets.autoencoder import Decoder, Encoder, to_device
from ml.nets.config import NetConfig
from ml.nets.critics import CodeCritic, JointCritic
from ml.patches import Case, PatchSampler, Population, load_cases

Objective: TypeAlias = Literal["iae", "iae_content", "aae", "ae"]
LOG_EVERY, CHECKPOINT_EVERY = 25, 200
BETAS = (0.5, 0.99)
GRADIENT_NORM = 5.0


@dataclass(frozen=True)
class TrainConfig:
    """Objective and schedule.

    "iae" is the pure form (two critics, no pixel loss), "iae_content" adds the content term, "aae" keeps the
    code critic and a pixel loss, "ae" the pixel loss alone.
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
    seed: int = 0

    @property
    def adversarial(self) -> bool:
        """Whether a critic compares pairs of patch and code."""
        return self.objective in {"iae", "iae_content"}

    @property
    def with_prior(self) -> bool:
        """Whether the codes are pulled to the prior."""
        return self.objective != "ae"


def fast_matmul_available() -> bool:
    """Whether this machine computes bfloat16 natively (then autocast pays)."""
    return torch.cuda.is_available() or bool(torch.cpu._is_avx512_bf16_supported())  # noqa: SLF001


class Trainer:
    """Networks, optimisers and the state of the random numbers; one call of ``step`` is one update of each."""

    def __init__(self, cases: list[Case], net: NetConfig, config: TrainConfig, *, device: str = "cpu") -> None:
        torch.manual_seed(config.seed)
        self.net, self.config, self.device, self.done = net, config, torch.device(device), 0
        self.sampler = PatchSampler(cases, net, population=config.population, seed=config.seed)
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
        self.half = fast_matmul_available()

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
        batch = torch.from_numpy(self.sampler.batch(self.config.batch)).to(self.device)
        patches = batch.contiguous(memory_format=torch.channels_last_3d)
        with self.autocast():
            codes = self.encoder(patches)
            decoded = self.decoder(codes)
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

    def _set_rates(self) -> None:
        slow = self.done >= (1 - self.config.slow_share) * self.config.steps
        factor = min(1.0, (self.done + 1) / 100) * (0.4 if slow else 1.0)
        for name, optimiser in self.optimisers.items():
            for group in optimiser.param_groups:
                group["lr"] = self.rates[name] * factor

    def _apply(self, name: str, loss: Tensor) -> float:
        self.optimisers[name].zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
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

    def state(self) -> dict[str, Any]:
        """All that is needed to go on as if never stopped."""
        return {
            "done": self.done,
            "config": {"net": self.net.to_dict(), "train": asdict(self.config)},
            "modules": {name: module.state_dict() for name, module in self.modules().items()},
            "optimisers": {name: optimiser.state_dict() for name, optimiser in self.optimisers.items()},
            "torch_rng": torch.get_rng_state(),
            "numpy_rng": json.dumps(self.sampler.rng.bit_generator.state),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from ``state``; raises TrainingError when it belongs to another configuration."""
        if state["config"] != {"net": self.net.to_dict(), "train": asdict(self.config)}:
            raise TrainingError("The checkpoint belongs to another configuration; choose another folder.")
        for name, module in self.modules().items():
            module.load_state_dict(state["modules"][name])
        for name, optimiser in self.optimisers.items():
            optimiser.load_state_dict(state["optimisers"][name])
        torch.set_rng_state(state["torch_rng"])
        self.sampler.rng.bit_generator.state = json.loads(state["numpy_rng"])
        self.done = int(state["done"])


def write_checkpoint(trainer: Trainer, path: Path) -> None:
    """Write beside and move, so that a kill never leaves half a file."""
    partial = path.with_suffix(".partial")
    torch.save(trainer.state(), partial)
    partial.replace(path)


def run(trainer: Trainer, folder: Path) -> None:
    """Train to the end, resuming from ``folder``; prints one JSON line for every 25 steps."""
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = folder / "checkpoint.pt"
    if checkpoint.is_file():
        trainer.restore(torch.load(checkpoint, map_location=trainer.device, weights_only=True))
        print(f"going on at step {trainer.done}", flush=True)
    started = time.monotonic()
    while trainer.done < trainer.config.steps:
        log = trainer.step()
        if trainer.done % LOG_EVERY == 0 or trainer.done == trainer.config.steps:
            line = {"step": trainer.done, "seconds": round(time.monotonic() - started, 1)}
            print(json.dumps(line | {key: round(value, 4) for key, value in log.items()}), flush=True)
        if trainer.done % CHECKPOINT_EVERY == 0 or trainer.done == trainer.config.steps:
            write_checkpoint(trainer, checkpoint)


def main(arguments: Iterable[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m ml.train", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of case folders")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoint, weights and card")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--name", default="demo")
    parser.add_argument("--data-note", default="", help="what the data are, for the card")
    for key, value in asdict(TrainConfig()).items():
        parser.add_argument(f"--{key.replace('_', '-')}", type=type(value), default=value)
    given = list(arguments) if arguments is not None else sys.argv[1:]
    options = parser.parse_args(given)
    command = shlex.join(["python", "-m", "ml.train", *given])
    torch.set_num_threads(options.threads)
    config = TrainConfig(**{key: getattr(options, key) for key in asdict(TrainConfig())})
    cases = load_cases(options.data)
    trainer = Trainer(cases, NetConfig(noise=config.adversarial), config, device=options.device)
    run(trainer, options.out)
    save_generator(trainer, cases, options.out, name=options.name, command=command, data_note=options.data_note)


if __name__ == "__main__":
    main()
