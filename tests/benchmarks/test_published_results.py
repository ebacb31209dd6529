"""Published results of Semantic Abstraction: pickled frames, read without pandas."""

from __future__ import annotations

import base64
import os
import pickle
import zlib
from pathlib import Path

import numpy as np
import pytest

from benchmarks.semabs import command
from benchmarks.semabs.frames import read_frame
from openshape_ood.errors import CloudError, FileError

# DataFrame.to_pickle of 8 rows by pandas 1.5.3, protocol 4, and of 4 rows by pandas 3.0, protocol 5: zlib, base 85
FRAMES = {
    "pandas 1": (
        "c-ozmTTc`*6vua#9d^A$vN0+KqwrvYFB?Had@y3fkl^TQd?!t3w!59sxn$ab-"
        "2@^&fROZ!<LBY4_z`^cO;0<saaJ%Q?WDIkJ^B6Hp0nTh`ogW*qT4BrdsKFUBx9X^Mk5CL%4@3Vx*eauqtCDhi@HIgK?eGM)jW(9%VH{IC!#SOu"
        "uOu!{z@dl*1KYk+ZXliatjfmFMsa=Jwx(14TCMgh;KHbwZ0YSQ93HzN4ZcT%`!Sdw<Kdh5=)ikfii}!H3Z#6-`3;=yxIY*IX--WkFe-DUfpXQ0"
        "-w=tPmNL|Mc3aygX5#(|CDxiq1)}g`H96g-l_uscoUKDKE|@NyDpL>`ygn%yh2hwl3^f$Kd4sS5Hw1G&+Dlu9{^wA^H>-"
        "70z+52<>w(vh*7I6MHny(iCm6B@am@J*Z2+IHt783B>1eZ_a|_l|AAXGxNG~xMSfc?`X8SzH~)TGuAlzz91w#)MCiu9bU9;PVMP~TI#1QhX5qe"
        "e*}kM|c<#lh=Iq5gL*Q?#l@)GWZ~DUG{H2Pxd*_L3Ib|s!r@dy?y8?qUI~i#`He|BnQ;G3;mBeg^Y?w8CQQX(=cx)rJhtUgX0h<S7l`R>tn31r"
        "D?@~~o3DE8BWXQym<)QsZnB<_RgIp#3J{qw!3AlO0sR$K@QL+X0fj454Bf9yaIg_5AI}aJ-lx1On)Elu{d0HXm{48V(C#!h<<t^5nvagr@RBf{"
        "S?Y}+Q?ShP%1``-&0nBaYbjEp(L`+e8T$`wlDuo$r4~3JypaVO+Lxo6oB<bZSJ)nvadtefdWbSu<0WY(@lK"
    ),
    "pandas 3": (
        "c-n<jUuzUG5Wl_K>-CRVOQBX2tv<-9u-FRXgHo|l(8W{wD3p-h%U+gdv&$xHd(fgj^dID{W4}(niXXv8-*l3@>Rl~3SvHg1-"
        "%NfpnaP*tH|f`$n2CbQE>&QrUQ<oiOPVn_fd^k<58B2jS+4|hdw>bzyktQtH7g|*D#)m$JyxRal~*E<x84obXx=spLlYv>Nd2_|GfOI2r16$uB"
        "(g?`HVd-Kihe+x|Ev-^rDaL`=$Di%&ZW|26>E!ZIwY7DI(Lv02y6SW=0$J_8_*8Duo3zPz-LXftNVqG#nj(FgX5#Y|Az5)q0{NS{e|LQ;i`t{c"
        "oR9_c#N{VyDsv){2-`Yc}fc2S81$(-?78^f@THqCDX{N9`L*7S|t@@lBCFy%9tVYo*fK*n)%VNP-"
        "kTtgP9>onP*XzB!g6)F4o4y8_vz)41Cel)3FeqUkIUw+l7sNFy0zy1ch}A<um+#`}F0Q^Y5#J`RC`$*FVmN-_I_t9gSp!27h!3iMq>vU`d$Cs7"
        "moHC7yayi8Qu{VF96cc!A^6kX`FPGw_Fa!hd$)FVI=@Uw8g_CQ%&iXnBP8txIT+JDmtyqfRy0>R23af-"
        "c)(Du}3JV5W&=+vJV?h9UBrX`bt@iMrTWz_0Q-TdI8iyii-XxakUSQpHR%l6Emsf<{b$nfsLQF!5w%$2}y?D=-"
        "srrSl{~5G(SS+pHEM)mY&97PyM@rET9%bztN8h(xA0sO+&3He7VjOw&?h;}~D*ynxWR3PZ(nmdw7e_pyKQTCnUBcP*GHk}*wPIGeaT)f$_B4~d"
        "aP(4JGTQz7zgMY<JIi>YSB1*G6eRZ;L8-zS%("
    ),
}
COLUMNS = {"scene_id", "label", "voxel32x32x32_iou", "cutoff", "epoch", "split", "ok"}


def pickled(name: str) -> bytes:
    return zlib.decompress(base64.b85decode(FRAMES[name]))


@pytest.fixture(params=FRAMES)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "ovssc_eval_stats.pkl"
    path.write_bytes(pickled(request.param))
    return path


def test_columns_of_a_pickled_frame(path: Path) -> None:
    found = read_frame(path)
    assert set(found) == COLUMNS
    assert found["label"][:4].tolist() == ["lamp", "lamp", "mug", "mug"]
    assert found["scene_id"][0] == "00001|FloorPlan26_physics" and found["epoch"].tolist() == [7] * len(found["epoch"])
    assert np.array_equal(found["voxel32x32x32_iou"][:2], [0.5, np.nan], equal_nan=True)
    assert found["cutoff"][:2].tolist() == [-1.0, -0.5] and found["ok"].dtype == bool


def test_published_results_are_summarized_beside_the_published_table(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["summarize", f"theirs={path}", "--published"]) == 0
    told = capsys.readouterr().out
    assert "Cut-off -1, chosen on the same rows" in told
    assert "| SemAbs | 40.1 | 36.4 | 33.4 | 37.9 |" in told and "real-stanford/semantic-abstraction" in told
    assert command.main(["summarize", str(path), "--published", "--metric", "epoch"]) == 0
    assert "40.1" not in capsys.readouterr().out


def test_a_folder_of_published_results_is_summarized(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for approach in ("ours", "chefer_et_al"):
        own = path.parent / "models" / approach / "ovssc" / path.name
        own.parent.mkdir(parents=True)
        own.write_bytes(path.read_bytes())
    assert command.main(["summarize", str(path.parent / "models"), "--published"]) == 0
    told = capsys.readouterr().out
    assert told.index(r"chefer\_et\_al/ovssc") < told.index("ours/ovssc") and told.count("| SemAbs | 40.1") == 1
    (path.parent / "empty").mkdir()
    assert command.main(["summarize", str(path.parent / "empty")]) == 1
    assert "holds no *_eval_stats.pkl" in capsys.readouterr().err


def test_the_published_table_of_descriptions() -> None:
    drawn = command.published_table("vool")[0]
    assert "| mean | 12.1 / 11.9 / 11.4 / 3.0 |" in drawn and drawn.count("\n") == 8


class Runs:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return os.system, (f"touch {self.marker}",)


def test_nothing_in_a_frame_runs_and_damage_is_told(tmp_path: Path) -> None:
    marker, path = tmp_path / "ran", tmp_path / "stats.pkl"
    sound = pickled("pandas 1")
    length = len(sound)
    hostile = [pickle.dumps(one, protocol=4) for one in (Runs(marker), {"_mgr": 1}, [1], {"a": Runs(marker)})]
    hostile += [sound[: length // 2], sound[:-1], b"", sound.replace(b"\x8c\x04_mgr", b"\x8c\x04_mga")]
    hostile += [sound.replace(b"\x8c\x05slice", b"\x8c\x05print"), sound.replace(b"\x8c\x02O8", b"\x8c\x02V8")]
    hostile += [sound.replace(b"\x8c\x09DataFrame", b"\x8c\x09DataFrume")]
    # a block that says to have other columns, or more rows than it has
    hostile += [
        sound.replace(b"K\x00K\x02K\x01\x87", b"K\x00K\x63K\x01\x87"),
        sound.replace(b"K\x02K\x08\x86", b"K\x02K\x09\x86"),
    ]
    for number, data in enumerate(hostile):
        assert data != sound, number
        path.write_bytes(data)
        with pytest.raises(FileError, match="as a table of results"):
            command.read_rows(path)
        assert not marker.exists(), number


def test_each_byte_flipped_is_read_or_refused(tmp_path: Path) -> None:
    path, sound = tmp_path / "stats.pkl", pickled("pandas 3")
    rng, refused = np.random.default_rng(0), 0
    for _ in range(400):
        data = bytearray(sound)
        data[rng.integers(len(sound))] = rng.integers(256)
        path.write_bytes(data)
        try:
            command.read_rows(path)
        except FileError:
            refused += 1
    assert refused > 100


def test_another_pickle_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"rgb": 1}, protocol=4))
    with pytest.raises(CloudError, match="does not hold a frame of pandas"):
        read_frame(tmp_path / "a.pkl")


class Arrow:
    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return print, ()


def test_a_frame_of_another_kind_is_to_be_saved_as_csv(tmp_path: Path) -> None:
    data = pickle.dumps({"a": Arrow()}, protocol=4).replace(b"\x8c\x08builtins", b"\x8c\x0dpandas.arrays")
    (tmp_path / "a.pkl").write_bytes(data.replace(b"\x8c\x05print", b"\x8c\x10ArrowStringArray"))
    with pytest.raises(CloudError, match=r"it names 'pandas.arrays.ArrowStringArray'.*to_csv\('results.csv'\)"):
        read_frame(tmp_path / "a.pkl")
