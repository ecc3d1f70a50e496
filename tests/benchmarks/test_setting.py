from tests.benchmarks.setting import Device, Setting, settings


def test_a_setting_names_what_it_changes():
    assert str(Setting()) == "float32"
    assert (
        str(Setting("bfloat16", channels_last=True, graph=True)) == "bfloat16 channels_last graph"
    )


def test_graphs_are_for_gpus():
    assert not any(setting.graph for setting in settings(Device.cpu))
    assert [s.precision for s in settings(Device.cuda) if s.graph] == ["float32", "bfloat16"]
