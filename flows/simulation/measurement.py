"""What the analyser and the microscope make of a drop of blood.

Neutrophils come from the true path; the other cells from the person. Noise-free, every number is exact: the count is
cut to whole cells per microlitre, so that it is below a whole threshold exactly when the path is.
"""

from dataclasses import dataclass

import numpy as np

from flows.simulation.arrays import Bools, Floats, Ints
from flows.simulation.population import Spread
from flows.simulation.reporting import Laboratories

CELLS_PER_UNIT = 1000.0  # cells/uL in 10^9/L
NONE, MACHINE, MANUAL, NOT_DONE = range(4)


@dataclass(frozen=True)
class Blood:
    """True content of each specimen: counts in cells/uL, haemoglobin in g/dL, platelets in 10^9/L."""

    neutrophils: Floats
    lymphocytes: Floats
    monocytes: Floats
    other: Floats
    haemoglobin: Floats
    platelets: Floats
    bands_share: Floats

    @property
    def leucocytes(self) -> Floats:
        """All white cells."""
        return self.neutrophils + self.lymphocytes + self.monocytes + self.other


@dataclass(frozen=True)
class Count:
    """What a laboratory knows of each specimen. Percentages of a manual differential are whole cells of 100."""

    wbc: Floats  # cells/uL
    anc: Floats  # cells/uL as the laboratory would report it; NaN without a differential
    neutrophil_pct: Floats
    segs_pct: Floats
    bands_pct: Floats
    lymphocyte_pct: Floats
    haemoglobin: Floats
    platelets: Floats
    differential: Ints


def draw_blood(
    rng: np.random.Generator,
    true_anc: Floats,
    person: tuple[dict[str, Floats], Floats],
    lowered: dict[str, Floats],
    spreads: dict[str, Spread],
    *,
    is_noise_free: bool,
) -> Blood:
    """The other cells beside the true neutrophils; `lowered` are log ratios by lineage."""
    values: dict[str, Floats] = {}
    for name, usual in person[0].items():
        noise = 0.0 if is_noise_free else spreads[name].visit_log_sd * rng.standard_normal(len(true_anc))
        values[name] = np.maximum(usual * np.exp(lowered.get(name, 0.0) + noise), spreads[name].least)
    return Blood(
        neutrophils=np.floor(true_anc) if is_noise_free else true_anc,
        lymphocytes=_whole(values["lymphocytes"], is_noise_free),
        monocytes=_whole(values["monocytes"], is_noise_free),
        other=_whole(values["other"], is_noise_free),
        haemoglobin=values["haemoglobin"],
        platelets=values["platelets"],
        bands_share=person[1],
    )


def count_exactly(blood: Blood) -> Count:
    """Every specimen with a full, exact differential."""
    wbc = blood.leucocytes
    share = 100.0 * blood.neutrophils / wbc
    bands = share * blood.bands_share
    return Count(
        wbc=wbc,
        anc=blood.neutrophils,
        neutrophil_pct=share,
        segs_pct=share - bands,
        bands_pct=bands,
        lymphocyte_pct=100.0 * blood.lymphocytes / wbc,
        haemoglobin=blood.haemoglobin,
        platelets=blood.platelets,
        differential=np.full(len(wbc), MACHINE),
    )


def count_cells(
    rng: np.random.Generator, blood: Blood, is_wanted: Bools, is_manual: Bools, laboratories: Laboratories
) -> Count:
    """Counts with analyser noise; a manual differential looks at 100 cells, segs and bands apart."""
    n_specimens = len(blood.neutrophils)
    wbc = blood.leucocytes * np.exp(laboratories.analyser_log_sd * rng.standard_normal(n_specimens))
    share = blood.neutrophils / blood.leucocytes
    cells = laboratories.cells_counted
    bands = rng.binomial(cells, share * blood.bands_share)
    rest = cells - bands
    segs = rng.binomial(rest, share * (1.0 - blood.bands_share) / (1.0 - share * blood.bands_share))
    blur = laboratories.percent_sd * 2.0 * np.sqrt(share * (1.0 - share)) * rng.standard_normal(n_specimens)
    machine = np.clip(100.0 * share + blur, 0.0, 100.0)
    neutrophils = np.where(is_manual, (segs + bands) * 100.0 / cells, machine)
    lymphocytes = np.minimum(100.0 * blood.lymphocytes / blood.leucocytes, 100.0 - neutrophils)
    done = laboratories.not_done
    is_tiny = wbc / CELLS_PER_UNIT < done.below_wbc
    not_done = is_tiny & (rng.random(n_specimens) < done.share)
    kind = np.where(is_wanted, np.where(is_manual, MANUAL, MACHINE), NONE)
    kind = np.where(not_done & is_wanted, NOT_DONE, kind)
    has_differential = (kind == MACHINE) | (kind == MANUAL)
    return Count(
        wbc=wbc,
        anc=np.where(has_differential, wbc * neutrophils / 100.0, np.nan),
        neutrophil_pct=neutrophils,
        segs_pct=segs * 100.0 / cells,
        bands_pct=bands * 100.0 / cells,
        lymphocyte_pct=lymphocytes,
        haemoglobin=blood.haemoglobin,
        platelets=blood.platelets,
        differential=kind,
    )


def _whole(value: Floats, is_noise_free: bool) -> Floats:
    cells = value * CELLS_PER_UNIT
    return np.round(cells) if is_noise_free else cells
