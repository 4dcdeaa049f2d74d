"""From candles to a deployed forecaster: fetching, preprocessing, training, converting, exporting."""
